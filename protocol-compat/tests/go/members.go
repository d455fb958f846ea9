package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	sessionOfMembers   = 6 * time.Second
	heartbeatOfMembers = time.Second
	commitLimit        = 5 * time.Second
)

// member of a group. Orders come in on standard input, events go out on standard output, as in the programs of the other
// languages: they stand in `python/membership.py`.
type member struct {
	who      string
	consumer *kgo.Client
	commits  bool
	stopping chan struct{}
	lock     sync.Mutex
	next     map[int32]kgo.EpochOffset
	topic    string
}

var voice sync.Mutex

func tell(format string, words ...any) {
	voice.Lock()
	defer voice.Unlock()
	fmt.Printf(format+"\n", words...)
}

func balancerOf(how string) []kgo.GroupOpt {
	known := map[string]func() kgo.GroupBalancer{
		"range":              kgo.RangeBalancer,
		"roundrobin":         kgo.RoundRobinBalancer,
		"sticky":             kgo.StickyBalancer,
		"cooperative-sticky": kgo.CooperativeStickyBalancer,
	}
	if how == "consumer" {
		return []kgo.GroupOpt{kgo.ServerSideBalancer(), kgo.Balancers(kgo.RangeBalancer())}
	}
	balancer, isKnown := known[how]
	expect(isKnown, "no assignor is called %s", how)
	return []kgo.GroupOpt{
		kgo.Balancers(balancer()), kgo.SessionTimeout(sessionOfMembers), kgo.HeartbeatInterval(heartbeatOfMembers),
	}
}

func newMember(bootstrap string, order []string) *member {
	m := &member{
		who: order[0] + " " + order[1], topic: order[2], commits: order[3] != "default",
		stopping: make(chan struct{}), next: map[int32]kgo.EpochOffset{},
	}
	settings := []kgo.Opt{
		kgo.SeedBrokers(bootstrap), kgo.ClientID(order[1]), kgo.ConsumerGroup(order[0]), kgo.ConsumeTopics(m.topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	}
	if m.commits {
		taken := func(_ context.Context, _ *kgo.Client, taken map[string][]int32) { m.forget(taken[m.topic]) }
		settings = append(settings,
			kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(), kgo.OnPartitionsLost(taken),
			kgo.OnPartitionsRevoked(func(limit context.Context, client *kgo.Client, revoked map[string][]int32) {
				m.commit()
				taken(limit, client, revoked)
			}))
		for _, more := range balancerOf(order[3]) {
			settings = append(settings, more)
		}
	}
	var err error
	m.consumer, err = kgo.NewClient(settings...)
	must(err, "a member")
	return m
}

func (m *member) forget(partitions []int32) {
	m.lock.Lock()
	defer m.lock.Unlock()
	for _, partition := range partitions {
		delete(m.next, partition)
	}
}

func (m *member) run() {
	for !m.isStopping() {
		limit, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		fetches := m.consumer.PollFetches(limit)
		cancel()
		fetches.EachPartition(func(found kgo.FetchTopicPartition) { m.read(found.Partition, found.Records) })
		if m.commits {
			if !fetches.Empty() {
				m.commit()
			}
			m.consumer.AllowRebalance()
		}
	}
	if m.commits {
		m.commit()
		m.consumer.CloseAllowingRebalance()
	} else {
		m.consumer.Close()
	}
	tell("left %s", m.who)
}

func (m *member) isStopping() bool {
	select {
	case <-m.stopping:
		return true
	default:
		return false
	}
}

// Offsets come in their order; a gap begins a new line.
func (m *member) read(partition int32, records []*kgo.Record) {
	if len(records) == 0 {
		return
	}
	first, end := records[0].Offset, records[0].Offset
	for _, record := range records {
		if record.Offset != end {
			tell("read %s %d %d %d", m.who, partition, first, end)
			first = record.Offset
		}
		end = record.Offset + 1
	}
	tell("read %s %d %d %d", m.who, partition, first, end)
	m.lock.Lock()
	defer m.lock.Unlock()
	m.next[partition] = kgo.EpochOffset{Epoch: -1, Offset: end}
}

// What fails is tried again with what comes next, and whoever has the partition then begins where the last commit is.
func (m *member) commit() {
	m.lock.Lock()
	wanted := map[int32]kgo.EpochOffset{}
	for partition, offset := range m.next {
		wanted[partition] = offset
	}
	m.lock.Unlock()
	if len(wanted) == 0 {
		return
	}
	limit, cancel := context.WithTimeout(context.Background(), commitLimit)
	defer cancel()
	of := map[string]map[int32]kgo.EpochOffset{m.topic: wanted}
	m.consumer.CommitOffsetsSync(limit, of,
		func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, answer *kmsg.OffsetCommitResponse, err error) {
			if err == nil {
				m.answered(wanted, answer)
			}
		})
}

func (m *member) answered(wanted map[int32]kgo.EpochOffset, answer *kmsg.OffsetCommitResponse) {
	m.lock.Lock()
	defer m.lock.Unlock()
	for _, topic := range answer.Topics {
		for _, found := range topic.Partitions {
			if found.ErrorCode != 0 {
				continue
			}
			tell("committed %s %d %d", m.who, found.Partition, wanted[found.Partition].Offset)
			if m.next[found.Partition] == wanted[found.Partition] {
				delete(m.next, found.Partition)
			}
		}
	}
}

func members(words []string) {
	all := map[string]*member{}
	var running sync.WaitGroup
	orders := bufio.NewScanner(os.Stdin)
	for orders.Scan() {
		order := strings.Fields(orders.Text())
		if order[0] == "join" {
			joins := newMember(words[0], order[1:])
			all[order[2]] = joins
			running.Add(1)
			go func() { defer running.Done(); joins.run() }()
		} else {
			close(all[order[1]].stopping)
			delete(all, order[1])
		}
	}
	for _, left := range all {
		close(left.stopping)
	}
	running.Wait()
}
