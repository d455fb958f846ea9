package main

import (
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// How long an admin client believes what it has heard of topics: the least that can be set, where 5 s are the default.
const believed = 10 * time.Millisecond

func adminClient(bootstrap string) *kadm.Client {
	return kadm.NewClient(client(bootstrap, kgo.MetadataMinAge(believed)))
}

func isListed(admin *kadm.Client, topic string) bool {
	time.Sleep(2 * believed)
	topics, err := admin.ListTopics(timeLimit())
	must(err, "the list of topics")
	return topics.Has(topic)
}

func makeTopic(admin *kadm.Client, topic string, settings map[string]*string) {
	made, err := admin.CreateTopic(timeLimit(), 1, 1, settings, topic)
	// A consumer's question may have made it.
	if !errors.Is(made.Err, kerr.TopicAlreadyExists) {
		must(err, "a new topic")
	}
	settled(func() bool { return isListed(admin, topic) }, "the topic is not listed")
}

func administer(words []string) {
	bootstrap, topic := words[0], words[1]
	admin := adminClient(bootstrap)
	defer admin.Close()
	expect(!isListed(admin, topic), "the topic is there before it is made")
	made, err := admin.CreateTopic(timeLimit(), 3, 1, nil, topic)
	must(err, "a new topic")
	expectEqual(made.NumPartitions, 3, "the partitions in the answer")
	settled(func() bool { return isListed(admin, topic) }, "the topic is not listed")
	topics, err := admin.ListTopics(timeLimit(), topic)
	must(err, "the topic")
	expectEqual(topics[topic].ID, made.ID, "the topic's id")
	expectEqual(len(topics[topic].Partitions), 3, "the partitions")
	wrong(admin, topic)
	settings(admin, topic)
	quotas(admin, topic)

	nodes, err := admin.BrokerMetadata(timeLimit())
	must(err, "the cluster")
	expectEqual(len(nodes.Brokers), 1, "how many brokers there are")
	node := nodes.Brokers[0]
	expectEqual(node.Host+":"+itoa(int(node.Port)), bootstrap, "the broker")
	expectEqual(nodes.Controller, node.NodeID, "the controller")
	records(bootstrap, admin, topic)

	_, err = admin.DeleteTopic(timeLimit(), topic)
	must(err, "the deletion")
	settled(func() bool { return !isListed(admin, topic) }, "the deleted topic is listed")
	_, err = admin.DeleteTopic(timeLimit(), topic)
	expect(errors.Is(err, kerr.UnknownTopicOrPartition), "a second deletion gives %v", err)
}

// Each wrong wish has its own error and changes nothing.
func wrong(admin *kadm.Client, topic string) {
	refused := func(wanted error, partitions int32, replicas int16, settings map[string]*string, topic string) {
		_, err := admin.CreateTopic(timeLimit(), partitions, replicas, settings, topic)
		expect(errors.Is(err, wanted), "%s gives %v instead of %v", topic, err, wanted)
	}
	refused(kerr.TopicAlreadyExists, 1, 1, nil, topic)
	refused(kerr.InvalidTopicException, 1, 1, nil, "not/a/name")
	refused(kerr.InvalidPartitions, 0, 1, nil, "wrong")
	refused(kerr.InvalidReplicationFactor, 1, 3, nil, "wrong")
	refused(kerr.InvalidConfig, 1, 1, map[string]*string{"retention.ms": kadm.StringPtr("soon")}, "wrong")
	_, err := admin.ValidateCreateTopics(timeLimit(), 1, 1, nil, "only-a-question")
	must(err, "a question")
	expect(!isListed(admin, "wrong") && !isListed(admin, "only-a-question"), "refused topics are listed")
}

func settings(admin *kadm.Client, topic string) {
	shown := func() string {
		described, err := admin.DescribeTopicConfigs(timeLimit(), topic)
		must(err, "the settings")
		for _, setting := range described[0].Configs {
			if setting.Key == "retention.ms" {
				return *setting.Value
			}
		}
		return "nothing"
	}
	settled(func() bool { return shown() == "604800000" }, "the default is not shown")
	change := func(operation kadm.IncrementalOp, value *string) {
		wish := []kadm.AlterConfig{{Op: operation, Name: "retention.ms", Value: value}}
		answers, err := admin.AlterTopicConfigs(timeLimit(), wish, topic)
		must(err, "a new setting")
		must(answers[0].Err, "a new setting")
	}
	change(kadm.SetConfig, kadm.StringPtr("5000"))
	settled(func() bool { return shown() == "5000" }, "the new setting is not shown")
	change(kadm.DeleteConfig, nil)
	settled(func() bool { return shown() == "604800000" }, "the default is not shown again")
}

// A quota of an entity of the topic's name: set, shown, refused, removed.
func quotas(admin *kadm.Client, topic string) {
	entity := kadm.ClientQuotaEntity{{Type: "user", Name: &topic}, {Type: "client-id", Name: nil}}
	alter := func(op kadm.AlterClientQuotaOp) error {
		entries := []kadm.AlterClientQuotaEntry{{Entity: entity, Ops: []kadm.AlterClientQuotaOp{op}}}
		altered, err := admin.AlterClientQuotas(timeLimit(), entries)
		must(err, "the alteration of quotas")
		expectEqual(len(altered), 1, "the entities altered")
		return altered[0].Err
	}
	shown := func() kadm.DescribedClientQuotas {
		filter := []kadm.DescribeClientQuotaComponent{{Type: "user", MatchName: &topic, MatchType: 0}}
		found, err := admin.DescribeClientQuotas(timeLimit(), false, filter)
		must(err, "the quotas")
		return found
	}
	must(alter(kadm.AlterClientQuotaOp{Key: "producer_byte_rate", Value: 1024}), "a quota")
	settled(func() bool {
		found := shown()
		return len(found) == 1 && len(found[0].Entity) == 2 && len(found[0].Values) == 1 &&
			found[0].Values[0].Key == "producer_byte_rate" && found[0].Values[0].Value == 1024
	}, "the quota is not shown")
	wrong := alter(kadm.AlterClientQuotaOp{Key: "producer_byte_rate", Value: -1})
	expect(errors.Is(wrong, kerr.InvalidRequest), "a quota below 0 gives %v", wrong)
	must(alter(kadm.AlterClientQuotaOp{Key: "producer_byte_rate", Remove: true}), "no quota")
	settled(func() bool { return len(shown()) == 0 }, "the quota is still shown")
}

func records(bootstrap string, admin *kadm.Client, topic string) {
	producer := client(bootstrap)
	defer producer.Close()
	write(producer, topic, 0, 20)
	wish := kadm.Offsets{}
	wish.AddOffset(topic, 0, 7, -1)
	deleted, err := admin.DeleteRecords(timeLimit(), wish)
	must(err, "the deletion of records")
	answer, _ := deleted.Lookup(topic, 0)
	must(answer.Err, "the deletion of records")
	expectEqual(answer.LowWatermark, 7, "the low watermark")
	starts, err := admin.ListStartOffsets(timeLimit(), topic)
	must(err, "the start")
	start, _ := starts.Lookup(topic, 0)
	expectEqual(start.Offset, 7, "the start")
	greatest, err := admin.ListMaxTimestampOffsets(timeLimit(), topic)
	must(err, "the greatest time")
	last, _ := greatest.Lookup(topic, 0)
	expectEqual(last.Offset, 19, "the record of the greatest time")
	consumer := reader(bootstrap, topic, kgo.NewOffset().AtStart())
	defer consumer.Close()
	check(take(consumer, 13)[0], 7)
}

// A consumer is told that its topic is gone; what takes its place is read by one that begins anew.
func deletedTopic(words []string) {
	bootstrap, topic := words[0], words[1]
	producer := client(bootstrap)
	write(producer, topic, 0, 20)
	producer.Close()
	consumer := reader(bootstrap, topic, kgo.NewOffset().AtStart())
	defer consumer.Close()
	check(take(consumer, 20)[19], 19)
	admin := adminClient(bootstrap)
	defer admin.Close()
	_, err := admin.DeleteTopic(timeLimit(), topic)
	must(err, "the deletion")
	for until := time.Now().Add(1500 * time.Millisecond); time.Now().Before(until); {
		limit, cancel := shortly()
		fetches := consumer.PollFetches(limit)
		cancel()
		expectEqual(fetches.NumRecords(), 0, "how many records came of a deleted topic")
	}
	makeTopic(admin, topic, nil)
	again := client(bootstrap)
	defer again.Close()
	write(again, topic, 0, 5)
	consumer.Close()
	readBack(bootstrap, topic, 5)
}

// A topic grows; what was written stays, and the new partition takes records.
func morePartitions(words []string) {
	bootstrap, topic := words[0], words[1]
	producer := client(bootstrap)
	write(producer, topic, 0, 5)
	producer.Close()
	admin := adminClient(bootstrap)
	defer admin.Close()
	grown, err := admin.UpdatePartitions(timeLimit(), 4, topic)
	must(err, "more partitions")
	must(grown.Error(), "more partitions")
	smaller, err := admin.UpdatePartitions(timeLimit(), 2, topic)
	must(err, "fewer partitions")
	expect(errors.Is(smaller.Error(), kerr.InvalidPartitions), "a smaller topic gives %v", smaller.Error())
	settled(func() bool {
		time.Sleep(2 * believed)
		topics, err := admin.ListTopics(timeLimit(), topic)
		must(err, "the topic")
		return len(topics[topic].Partitions) == 4
	}, "the topic has not grown")
	producer = client(bootstrap)
	defer producer.Close()
	stored, err := producer.ProduceSync(timeLimit(), &kgo.Record{Topic: topic, Partition: 3}).First()
	must(err, "a record in the new partition")
	expectEqual(stored.Offset, 0, "where it was stored")
	readBack(bootstrap, topic, 5)
}
