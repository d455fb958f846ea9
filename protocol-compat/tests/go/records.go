package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

var codecs = map[string]kgo.CompressionCodec{
	"none":   kgo.NoCompression(),
	"gzip":   kgo.GzipCompression(),
	"snappy": kgo.SnappyCompression(),
	"lz4":    kgo.Lz4Compression(),
	"zstd":   kgo.ZstdCompression(),
}

// Words: address, the topics' beginning, count, codecs.
func writeAll(words []string) {
	for _, codec := range words[3:] {
		producer := client(words[0], kgo.ProducerBatchCompression(codecs[codec]))
		write(producer, words[1]+"-"+codec, 0, number(words[2]))
		producer.Close()
	}
}

// Words: address, count, topics.
func readAll(words []string) {
	for _, topic := range words[2:] {
		readBack(words[0], topic, number(words[1]))
	}
}

// Not one setting besides the address and leave to make the topic: idempotent, acks=all, a codec that it chooses.
func nothingButTheAddress(words []string) {
	producer, err := kgo.NewClient(kgo.SeedBrokers(words[0]), kgo.AllowAutoTopicCreation())
	must(err, "a client")
	defer producer.Close()
	write(producer, words[1], 0, 30)
	readBack(words[0], words[1], 30)
}

func acknowledgements(words []string) {
	kinds := []kgo.Acks{kgo.LeaderAck(), kgo.AllISRAcks(), kgo.NoAck()}
	for n, acks := range kinds {
		producer := client(words[0], kgo.RequiredAcks(acks), kgo.DisableIdempotentWrite())
		if acks != kgo.NoAck() {
			write(producer, words[1], 10*n, 10)
		} else {
			for i := 10 * n; i < 10*n+10; i++ {
				must(producer.ProduceSync(timeLimit(), record(words[1], i)).FirstErr(), "an unanswered record")
			}
		}
		readBack(words[0], words[1], 10*n+10)
		producer.Close()
	}
}

// Many small batches at once, in order.
func idempotent(words []string) {
	producer := client(words[0], kgo.ProducerBatchMaxBytes(700), kgo.ProducerLinger(0))
	defer producer.Close()
	write(producer, words[1], 0, 300)
	readBack(words[0], words[1], 300)
}

func positions(words []string) {
	bootstrap, topic := words[0], words[1]
	producer := client(bootstrap)
	defer producer.Close()
	write(producer, topic, 0, 60)
	firstFrom := func(from kgo.Offset, count int) {
		consumer := reader(bootstrap, topic, from)
		defer consumer.Close()
		found := take(consumer, count)
		check(found[0], 60-count)
	}
	firstFrom(kgo.NewOffset().AtStart(), 60)
	firstFrom(kgo.NewOffset().At(17), 43)
	firstFrom(kgo.NewOffset().AtEnd().Relative(-5), 5)
	firstFrom(kgo.NewOffset().AfterMilli(firstTimestamp+30_001), 29)
	firstFrom(kgo.NewOffset().AfterMilli(firstTimestamp+59_000), 1)

	admin := kadm.NewClient(producer)
	for after, wanted := range map[int64]int64{0: 0, 30_000: 30, 30_001: 31, 59_000: 59, 60_000: 60} {
		listed, err := admin.ListOffsetsAfterMilli(timeLimit(), firstTimestamp+after, topic)
		must(err, "offsets by time")
		found, _ := listed.Lookup(topic, 0)
		// It answers with the end where nothing is as late.
		expectEqual(found.Offset, wanted, fmt.Sprintf("the offset for %d", after))
	}

	consumer := reader(bootstrap, topic, kgo.NewOffset().AtEnd())
	defer consumer.Close()
	expectSilence(consumer, time.Second)
	write(producer, topic, 60, 1)
	check(take(consumer, 1)[0], 60)

	strict := reader(bootstrap, topic, kgo.NewOffset().At(10_000), kgo.ConsumeResetOffset(kgo.NoResetOffset()))
	defer strict.Close()
	err := strict.PollFetches(timeLimit()).Err()
	expect(errors.Is(err, kerr.OffsetOutOfRange), "beyond the end is %v", err)
}

// Nothing comes, and in the time asked.
func expectSilence(consumer *kgo.Client, wait time.Duration) {
	limit, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	fetches := consumer.PollFetches(limit)
	expectEqual(fetches.NumRecords(), 0, "how many records came")
	expect(errors.Is(fetches.Err0(), context.DeadlineExceeded), "silence is %v", fetches.Err0())
}

func emptyTopic(words []string) {
	admin := adminClient(words[0])
	defer admin.Close()
	makeTopic(admin, words[1], nil)
	consumer := reader(words[0], words[1], kgo.NewOffset().AtStart())
	defer consumer.Close()
	expectSilence(consumer, time.Second)
	expectSilence(consumer, time.Second)
	ends, err := admin.ListEndOffsets(timeLimit(), words[1])
	must(err, "the end")
	end, _ := ends.Lookup(words[1], 0)
	expectEqual(end.Offset, 0, "the end of an empty topic")
}

// large gives bytes that do not compress.
func large(seed int64, size int) []byte {
	value := make([]byte, size)
	rand.New(rand.NewSource(seed)).Read(value)
	return value
}

func writeValues(bootstrap, topic string, values [][]byte, more ...kgo.Opt) error {
	producer := client(bootstrap, more...)
	defer producer.Close()
	var failure error
	for _, value := range values {
		if err := producer.ProduceSync(timeLimit(), &kgo.Record{Topic: topic, Value: value}).FirstErr(); err != nil {
			failure = err
		}
	}
	return failure
}

func expectValues(bootstrap, topic string, values [][]byte) {
	consumer := reader(bootstrap, topic, kgo.NewOffset().AtStart())
	defer consumer.Close()
	for n, found := range take(consumer, len(values)) {
		expect(isSame(found.Value, values[n]), "value %d of %d bytes came back changed", n, len(values[n]))
	}
}

// Records of 900 kB; one above the broker's limit, refused; then records of 5 MB in a topic that allows them.
func largeRecords(words []string) {
	bootstrap, topic := words[0], words[1]
	values := [][]byte{large(0, 900_000), large(1, 900_000), large(2, 900_000), []byte("after")}
	must(writeValues(bootstrap, topic, values[:3]), "large records")
	tooLarge := [][]byte{large(3, 1_100_000)}
	err := writeValues(bootstrap, topic, tooLarge, kgo.ProducerBatchMaxBytes(4_000_000))
	expect(errors.Is(err, kerr.MessageTooLarge), "a batch above message.max.bytes gives %v", err)
	must(writeValues(bootstrap, topic, values[3:]), "the record after it")
	expectValues(bootstrap, topic, values)

	topic += "-5-mb"
	admin := adminClient(bootstrap)
	defer admin.Close()
	makeTopic(admin, topic, map[string]*string{"max.message.bytes": kadm.StringPtr("6000000")})
	values = [][]byte{large(4, 5_000_000), large(5, 5_000_000)}
	must(writeValues(bootstrap, topic, values, kgo.ProducerBatchMaxBytes(6_000_000)), "records of 5 MB")
	expectValues(bootstrap, topic, values)
}
