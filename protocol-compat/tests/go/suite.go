// Package main is franz-go against the broker: what every client of the suites does.
//
// The records are the same, byte for byte, in the programs of every language, so that one client can read what another
// wrote.
package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	firstTimestamp = 1_700_000_000_000
	timeToRead     = 20 * time.Second
)

// fail ends the program: what it says is the test's message.
func fail(format string, found ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", found...)
	os.Exit(1)
}

func expect(holds bool, format string, found ...any) {
	if !holds {
		fail(format, found...)
	}
}

func expectEqual[T comparable](found, wanted T, what string) {
	expect(found == wanted, "%s is %v and should be %v", what, found, wanted)
}

func must(err error, what string) {
	expect(err == nil, "%s: %v", what, err)
}

func number(word string) int {
	n, err := strconv.Atoi(word)
	must(err, "a number")
	return n
}

func timeLimit() context.Context {
	// The program ends before anybody could cancel.
	limit, cancel := context.WithTimeout(context.Background(), timeToRead)
	_ = cancel
	return limit
}

// record is the one that belongs at offset i of partition 0: nulls, empties, and more than ASCII.
func record(topic string, i int) *kgo.Record {
	value := []byte(fmt.Sprintf("τιμή 🦦 %d ", i) + strings.Repeat("x", i*37%400))
	if i%7 == 3 {
		value = nil
	} else if i%7 == 4 {
		value = []byte{}
	}
	key := []byte(fmt.Sprintf("κλειδί-%d", i))
	if i%5 == 0 && value != nil {
		key = nil
	} else if i%5 == 1 {
		key = []byte{}
	}
	var headers []kgo.RecordHeader
	if i%3 != 0 {
		headers = []kgo.RecordHeader{
			{Key: "заголовок", Value: []byte(fmt.Sprintf("значение-%d", i))},
			{Key: "заголовок", Value: []byte{}},
		}
	}
	at := time.UnixMilli(firstTimestamp + 1000*int64(i))
	return &kgo.Record{Topic: topic, Key: key, Value: value, Headers: headers, Timestamp: at}
}

func isSame(found, wanted []byte) bool {
	return (found == nil) == (wanted == nil) && bytes.Equal(found, wanted)
}

// check tells whether a consumed record is the one that belongs at this offset.
func check(found *kgo.Record, offset int) {
	wanted := record(found.Topic, offset)
	expectEqual(found.Offset, int64(offset), "the offset")
	expect(isSame(found.Key, wanted.Key), "the key at %d is %q", offset, found.Key)
	expect(isSame(found.Value, wanted.Value), "the value at %d is %q", offset, found.Value)
	expectEqual(found.Timestamp.UnixMilli(), wanted.Timestamp.UnixMilli(), "the timestamp")
	expectEqual(found.Attrs.TimestampType(), 0, "the kind of timestamp")
	expectEqual(len(found.Headers), len(wanted.Headers), "how many headers")
	for h, header := range found.Headers {
		expectEqual(header.Key, wanted.Headers[h].Key, "a header's key")
		expect(isSame(header.Value, wanted.Headers[h].Value), "a header at %d is %q", offset, header.Value)
	}
}

// client has the address and what is given here; partition 0 is where all records go.
func client(bootstrap string, more ...kgo.Opt) *kgo.Client {
	settings := []kgo.Opt{
		kgo.SeedBrokers(bootstrap),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.AllowAutoTopicCreation(),
	}
	made, err := kgo.NewClient(append(settings, more...)...)
	must(err, "a client")
	return made
}

// reader consumes partition 0 from an offset.
func reader(bootstrap, topic string, from kgo.Offset, more ...kgo.Opt) *kgo.Client {
	partitions := map[string]map[int32]kgo.Offset{topic: {0: from}}
	return client(bootstrap, append(more, kgo.ConsumePartitions(partitions))...)
}

func write(producer *kgo.Client, topic string, first, count int) {
	var records []*kgo.Record
	for i := first; i < first+count; i++ {
		records = append(records, record(topic, i))
	}
	for i, result := range producer.ProduceSync(timeLimit(), records...) {
		must(result.Err, "a record is refused")
		expectEqual(result.Record.Offset, int64(first+i), "where a record was stored")
	}
}

func take(consumer *kgo.Client, count int) []*kgo.Record {
	var taken []*kgo.Record
	limit := timeLimit()
	for len(taken) < count {
		fetches := consumer.PollFetches(limit)
		must(fetches.Err(), fmt.Sprintf("after %d of %d records", len(taken), count))
		taken = append(taken, fetches.Records()...)
	}
	return taken
}

func readBack(bootstrap, topic string, count int) {
	consumer := reader(bootstrap, topic, kgo.NewOffset().AtStart())
	defer consumer.Close()
	found := take(consumer, count)
	expectEqual(len(found), count, "how many records came")
	for offset, found := range found {
		check(found, offset)
	}
}

// settled waits until a question about a change just made is answered with yes: at once, but where the broker under test
// is known to show its changes late.
func settled(question func() bool, otherwise string) {
	patience := time.Duration(number(os.Getenv("SUITE_PATIENCE_SECONDS"))) * time.Second
	for until := time.Now().Add(patience); !question(); time.Sleep(20 * time.Millisecond) {
		expect(time.Now().Before(until), "%s", otherwise)
	}
}

// The parts that the command line names are run, with the words behind each; each is said to have come to its end.
func main() {
	parts := map[string]func([]string){
		"write_all":               writeAll,
		"read_all":                readAll,
		"nothing_but_the_address": nothingButTheAddress,
		"acknowledgements":        acknowledgements,
		"idempotent":              idempotent,
		"positions":               positions,
		"empty_topic":             emptyTopic,
		"large_records":           largeRecords,
		"lag":                     lag,
		"members":                 members,
		"admin":                   administer,
		"deleted_topic":           deletedTopic,
		"more_partitions":         morePartitions,
		"through_a_restart":       throughARestart,
	}
	words := os.Args[1:]
	for len(words) > 0 {
		end := 0
		for end < len(words) && words[end] != "--" {
			end++
		}
		part, isKnown := parts[words[0]]
		expect(isKnown, "no part is called %s", words[0])
		part(words[1:end])
		fmt.Println("PASS", words[0])
		words = words[min(end+1, len(words)):]
	}
}
