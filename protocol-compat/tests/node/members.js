// kafkajs as members of groups. Orders come in on standard input, events go out on standard output, as in the programs of
// the other languages: they stand in `python/membership.py`.
'use strict'

const { createInterface } = require('node:readline')
const { PartitionAssigners } = require('kafkajs')
const { kafka } = require('./suite.js')

const SESSION_MS = 6_000
const HEARTBEAT_MS = 1_000

// Its own assigner calls itself by a name that no other client knows; what it sends and understands is what others do.
const assignerCalled = (name) => (given) => {
  const own = PartitionAssigners.roundRobin(given)
  return { ...own, name }
}

const say = (...words) => process.stdout.write(words.join(' ') + '\n')

class Member {
  constructor(bootstrap, group, name, topic, how) {
    this.who = [group, name]
    this.topic = topic
    const settings = { groupId: group }
    if (how !== 'default') {
      Object.assign(settings, { sessionTimeout: SESSION_MS, heartbeatInterval: HEARTBEAT_MS })
      settings.partitionAssigners = [assignerCalled(how)]
    }
    this.consumer = kafka(bootstrap).consumer(settings)
    const { COMMIT_OFFSETS, CRASH } = this.consumer.events
    this.consumer.on(COMMIT_OFFSETS, ({ payload }) => {
      for (const { partitions } of payload.topics) {
        for (const { partition, offset } of partitions) say('committed', ...this.who, partition, offset)
      }
    })
    this.consumer.on(CRASH, ({ payload }) => {
      if (!payload.restart) fail(this, payload.error)
    })
  }

  async begin() {
    await this.consumer.connect()
    await this.consumer.subscribe({ topic: this.topic, fromBeginning: true })
    await this.consumer.run({
      eachBatch: async ({ batch }) => {
        const offsets = batch.messages.map((message) => Number(message.offset))
        let begin = 0
        offsets.forEach((offset, i) => {
          if (i + 1 < offsets.length && offsets[i + 1] === offset + 1) return
          say('read', ...this.who, batch.partition, offsets[begin], offset + 1)
          begin = i + 1
        })
      },
    })
  }

  async end() {
    await this.consumer.disconnect()
    say('left', ...this.who)
  }
}

function fail(member, error) {
  say('failed', ...member.who, String(error).replaceAll('\n', ' '))
  console.error(error)
  process.exitCode = 1
}

async function members(bootstrap) {
  const members = new Map()
  const begun = []
  for await (const line of createInterface({ input: process.stdin })) {
    const [order, ...words] = line.split(' ')
    if (order === 'join') {
      const member = new Member(bootstrap, ...words)
      member.begun = member.begin().catch((error) => fail(member, error))
      members.set(words[1], member)
    } else {
      const member = members.get(words[0])
      members.delete(words[0])
      begun.push(member.begun.then(() => member.end()))
    }
  }
  for (const member of members.values()) begun.push(member.begun.then(() => member.end()))
  await Promise.all(begun)
}

module.exports = { members }
