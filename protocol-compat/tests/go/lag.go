package main

import (
	"fmt"

	"github.com/IBM/sarama"
)

// Words: address, group. Prints what those who watch groups would show: for each partition its committed offset and how
// far that is behind the end, as franz-go's admin client computes it (kminion is built on it) and as it is computed with
// Sarama (kafka_exporter and Burrow are).
func lag(words []string) {
	lagOfKadm(words[0], words[1])
	lagOfSarama(words[0], words[1])
}

func lagOfKadm(bootstrap, group string) {
	admin := adminClient(bootstrap)
	defer admin.Close()
	found, err := admin.Lag(timeLimit(), group)
	must(err, "the lag")
	of := found[group]
	must(of.Error(), "the lag of the group")
	for _, of := range of.Lag.Sorted() {
		must(of.Err, "the lag of a partition")
		fmt.Println("kadm", of.Topic, of.Partition, of.Commit.At, of.Lag)
	}
}

func lagOfSarama(bootstrap, group string) {
	settings := sarama.NewConfig()
	settings.Version = sarama.V2_0_0_0
	client, err := sarama.NewClient([]string{bootstrap}, settings)
	must(err, "Sarama's client")
	defer client.Close()
	topics, err := client.Topics()
	must(err, "the topics")
	coordinator, err := client.Coordinator(group)
	must(err, "the coordinator")
	question := &sarama.OffsetFetchRequest{ConsumerGroup: group, Version: 1}
	for _, topic := range topics {
		partitions, err := client.Partitions(topic)
		must(err, "the partitions")
		for _, partition := range partitions {
			question.AddPartition(topic, partition)
		}
	}
	answer, err := coordinator.FetchOffset(question)
	must(err, "the offsets")
	for topic, partitions := range answer.Blocks {
		for partition, committed := range partitions {
			expectEqual(committed.Err, sarama.ErrNoError, "the error of a partition")
			if committed.Offset < 0 {
				continue
			}
			end, err := client.GetOffset(topic, partition, sarama.OffsetNewest)
			must(err, "the end")
			fmt.Println("sarama", topic, partition, committed.Offset, end-committed.Offset)
		}
	}
}
