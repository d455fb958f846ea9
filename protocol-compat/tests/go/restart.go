package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func itoa(n int) string { return strconv.Itoa(n) }

func shortly() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 200*time.Millisecond)
}

// written is what one producer sent, where each was said to be, and what a consumer found.
type written struct {
	topic        string
	isExact      bool
	lock         sync.Mutex
	sent         int
	acknowledged map[int64]int
	failures     []error
	found        []int
	over         chan struct{}
}

// Words: address, topics' beginning, guarantee. Writes, with defaults and without idempotence, and reads meanwhile, while
// the broker ends and is started again, until a file called `enough` says that this is over.
func throughARestart(words []string) {
	bootstrap, prefix, isExact := words[0], words[1], words[2] == "exactly_once"
	plain := &written{topic: prefix + "-plain"}
	exact := &written{topic: prefix + "-idempotent", isExact: isExact}
	var running sync.WaitGroup
	for of, more := range map[*written][]kgo.Opt{plain: {kgo.DisableIdempotentWrite()}, exact: {}} {
		of.acknowledged = map[int64]int{}
		of.over = make(chan struct{})
		producer := client(bootstrap, more...)
		first := &kgo.Record{Topic: of.topic, Value: []byte("0")}
		must(producer.ProduceSync(timeLimit(), first).FirstErr(), "the first record")
		of.acknowledged[0] = 0
		of.sent = 1
		running.Add(2)
		go func() { defer running.Done(); of.writeOn(producer) }()
		go func() { defer running.Done(); of.readOn(bootstrap) }()
	}
	must(os.WriteFile("writing-"+prefix, nil, 0o644), "a word to the one who stops the broker")
	running.Wait()
	plain.check()
	exact.check()
}

func (w *written) writeOn(producer *kgo.Client) {
	defer close(w.over)
	defer producer.Close()
	for {
		if _, err := os.Stat("enough"); err == nil {
			break
		}
		value := w.sent
		w.sent++
		record := &kgo.Record{Topic: w.topic, Value: []byte(itoa(value))}
		producer.Produce(context.Background(), record, func(stored *kgo.Record, err error) {
			w.lock.Lock()
			defer w.lock.Unlock()
			if err != nil {
				w.failures = append(w.failures, err)
			} else {
				w.acknowledged[stored.Offset] = value
			}
		})
		time.Sleep(5 * time.Millisecond)
	}
	must(producer.Flush(timeLimit()), "what was not sent in time")
}

func (w *written) readOn(bootstrap string) {
	consumer := reader(bootstrap, w.topic, kgo.NewOffset().AtStart())
	defer consumer.Close()
	end := -1
	deadline := time.Time{}
	for end < 0 || len(w.found) < end {
		limit, cancel := shortly()
		fetches := consumer.PollFetches(limit)
		cancel()
		for _, found := range fetches.Records() {
			expectEqual(found.Offset, int64(len(w.found)), "the next offset")
			w.found = append(w.found, number(string(found.Value)))
		}
		select {
		case <-w.over:
			if end < 0 {
				ends, err := kadm.NewClient(consumer).ListEndOffsets(timeLimit(), w.topic)
				must(err, "the end")
				listed, _ := ends.Lookup(w.topic, 0)
				end, deadline = int(listed.Offset), time.Now().Add(timeToRead)
			}
			expect(time.Now().Before(deadline), "the reader has only %d of %d records", len(w.found), end)
		default:
		}
	}
}

func (w *written) check() {
	expect(len(w.failures) == 0, "%s: %d failures, first %v", w.topic, len(w.failures), w.failures)
	expect(w.sent > 100, "%s: only %d were sent", w.topic, w.sent)
	expectEqual(len(w.acknowledged), w.sent, "how many were acknowledged")
	for offset, value := range w.acknowledged {
		expectEqual(w.found[offset], value, fmt.Sprintf("the value at offset %d", offset))
	}
	if w.isExact {
		expectEqual(len(w.found), w.sent, "how many are stored")
	}
	fmt.Printf("%s: %d sent, %d doubled\n", w.topic, w.sent, len(w.found)-w.sent)
}
