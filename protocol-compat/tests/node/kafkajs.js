// kafkajs: the producer and the admin client, as every client of the suites uses them.
'use strict'

const assert = require('node:assert/strict')
const { randomBytes } = require('node:crypto')
const { existsSync, writeFileSync } = require('node:fs')
const { ConfigResourceTypes } = require('kafkajs')
const { CODECS, FIRST_TIMESTAMP, administering, pause, play, producing, settled, write } = require('./suite.js')
const { members } = require('./members.js')

// Words: address, the topics' beginning, count, codecs.
async function writeAll(bootstrap, prefix, count, ...codecs) {
  await producing(bootstrap, {}, async (producer) => {
    for (const codec of codecs) {
      await write(producer, `${prefix}-${codec}`, 0, Number(count), { compression: CODECS[codec] })
    }
  })
}

async function nothingButTheAddress(bootstrap, topic) {
  await producing(bootstrap, {}, (producer) => write(producer, topic, 0, 30))
  await expectEnds(bootstrap, topic, 0, 30)
}

async function expectEnds(bootstrap, topic, low, high) {
  await administering(bootstrap, async (admin) => {
    const [found] = await admin.fetchTopicOffsets(topic)
    assert.deepEqual([found.low, found.high], [String(low), String(high)], 'the ends')
  })
}

async function acknowledgements(bootstrap, topic) {
  await producing(bootstrap, {}, async (producer) => {
    await write(producer, topic, 0, 10, { acks: 1 })
    await write(producer, topic, 10, 10, { acks: -1 })
    await producer.send({ topic, acks: 0, messages: [{ partition: 0, value: 'unanswered' }] })
    await write(producer, topic, 21, 1, { acks: 1 })
  })
  await expectEnds(bootstrap, topic, 0, 22)
}

async function idempotent(bootstrap, topic) {
  await producing(bootstrap, { idempotent: true, maxInFlightRequests: 1 }, async (producer) => {
    for (let first = 0; first < 60; first += 6) await write(producer, topic, first, 6)
  })
  await expectEnds(bootstrap, topic, 0, 60)
}

// Records of 900 kB; one above the broker's limit, refused; then records of 5 MB in a topic that allows them.
async function largeRecords(bootstrap, topic) {
  const larger = `${topic}-5-mb`
  await administering(bootstrap, (admin) =>
    makeTopic(admin, larger, 1, [{ name: 'max.message.bytes', value: '6000000' }]))
  await producing(bootstrap, {}, async (producer) => {
    const send = (to, size) => producer.send({ topic: to, messages: [{ partition: 0, value: randomBytes(size) }] })
    await send(topic, 900_000)
    await assert.rejects(send(topic, 1_100_000), { type: 'MESSAGE_TOO_LARGE' })
    await send(topic, 900_000)
    await send(larger, 5_000_000)
    await send(larger, 5_000_000)
  })
  await expectEnds(bootstrap, topic, 0, 2)
  await expectEnds(bootstrap, larger, 0, 2)
}

const isListed = async (admin, topic) => (await admin.listTopics()).includes(topic)

async function makeTopic(admin, topic, numPartitions = 1, configEntries = []) {
  const isNew = await admin.createTopics({ topics: [{ topic, numPartitions, configEntries }] })
  await settled(() => isListed(admin, topic), 'the topic is not listed')
  return isNew
}

async function everythingOfAdmin(bootstrap, topic) {
  await administering(bootstrap, async (admin) => {
    assert.ok(!(await isListed(admin, topic)), 'the topic is there before it is made')
    assert.equal(await makeTopic(admin, topic, 3), true, 'it is new')
    assert.equal(await makeTopic(admin, topic, 3), false, 'it is not new')
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
    assert.deepEqual(topics[0].partitions.map((p) => p.partitionId).sort(), [0, 1, 2], 'the partitions')
    await wrong(admin)
    await configs(admin, topic)

    const cluster = await admin.describeCluster()
    assert.deepEqual(cluster.brokers.map((b) => `${b.host}:${b.port}`), [bootstrap], 'the brokers')
    assert.equal(cluster.controller, cluster.brokers[0].nodeId, 'the controller')
    assert.ok(cluster.clusterId.length >= 16, 'the cluster id')

    await producing(bootstrap, {}, (producer) => write(producer, topic, 0, 20))
    for (const [after, offset] of [[0, 0], [8_500, 9], [19_000, 19], [20_000, 20]]) {
      // It answers with the end where nothing is as late.
      const found = await admin.fetchTopicOffsetsByTimestamp(topic, FIRST_TIMESTAMP + after)
      assert.equal(found.find((f) => f.partition === 0).offset, String(offset), `the offset for ${after}`)
    }
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '7' }] })
    const ends = (await admin.fetchTopicOffsets(topic)).find((f) => f.partition === 0)
    assert.deepEqual([ends.low, ends.high], ['7', '20'], 'the ends after a deletion')

    await admin.deleteTopics({ topics: [topic] })
    await settled(async () => !(await isListed(admin, topic)), 'the deleted topic is listed')
  })
}

// Each wrong wish has its own error and changes nothing.
async function wrong(admin) {
  const refused = async (wish, type) => {
    await assert.rejects(admin.createTopics({ topics: [{ numPartitions: 1, ...wish }] }), (e) => {
      assert.deepEqual(e.errors.map((each) => each.type), [type], `the error of ${wish.topic}`)
      return true
    })
  }
  await refused({ topic: 'not/a/name' }, 'INVALID_TOPIC_EXCEPTION')
  await refused({ topic: 'wrong', numPartitions: 0 }, 'INVALID_PARTITIONS')
  await refused({ topic: 'wrong', replicationFactor: 3 }, 'INVALID_REPLICATION_FACTOR')
  await refused({ topic: 'wrong', configEntries: [{ name: 'retention.ms', value: 'soon' }] }, 'INVALID_CONFIG')
  // It would wait for the leader of a topic that is not made.
  const question = { topics: [{ topic: 'only-a-question', numPartitions: 1 }], validateOnly: true, waitForLeaders: false }
  await admin.createTopics(question)
  const listed = await admin.listTopics()
  assert.ok(!listed.includes('wrong') && !listed.includes('only-a-question'), 'refused topics are listed')
}

async function configs(admin, topic) {
  const resource = { type: ConfigResourceTypes.TOPIC, name: topic }
  const shown = async () => {
    const { resources } = await admin.describeConfigs({ includeSynonyms: true, resources: [resource] })
    return resources[0].configEntries.find((entry) => entry.configName === 'retention.ms').configValue
  }
  await settled(async () => (await shown()) === '604800000', 'the default is not shown')
  const alter = (value) =>
    admin.alterConfigs({ resources: [{ ...resource, configEntries: [{ name: 'retention.ms', value }] }] })
  await alter('-1')
  await settled(async () => (await shown()) === '-1', 'the new setting is not shown')
  await assert.rejects(alter('soon'), { type: 'INVALID_CONFIG' })
}

// A topic goes and comes back beneath a producer, which is told and goes on.
async function deletedTopic(bootstrap, topic) {
  await producing(bootstrap, {}, async (producer) => {
    await write(producer, topic, 0, 20)
    await administering(bootstrap, async (admin) => {
      await admin.deleteTopics({ topics: [topic] })
      await settled(async () => !(await isListed(admin, topic)), 'the deleted topic is listed')
      await makeTopic(admin, topic)
    })
    await write(producer, topic, 0, 5)
  })
  await expectEnds(bootstrap, topic, 0, 5)
}

// A topic grows; what was written stays, and the new partition takes records.
async function morePartitions(bootstrap, topic) {
  await producing(bootstrap, {}, (producer) => write(producer, topic, 0, 5))
  await administering(bootstrap, async (admin) => {
    const grow = (count) => admin.createPartitions({ topicPartitions: [{ topic, count }] })
    await grow(4)
    await assert.rejects(grow(2), { type: 'INVALID_PARTITIONS' })
    const hasGrown = async () => (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0].partitions.length === 4
    await settled(hasGrown, 'the topic has not grown')
  })
  await producing(bootstrap, {}, async (producer) => {
    const [stored] = await producer.send({ topic, messages: [{ partition: 3, value: 'in the new one' }] })
    assert.deepEqual([stored.partition, stored.baseOffset], [3, '0'], 'where it was stored')
  })
  await administering(bootstrap, async (admin) => {
    const ends = (await admin.fetchTopicOffsets(topic)).map((found) => `${found.partition}:${found.high}`)
    assert.deepEqual(ends.sort(), ['0:5', '1:0', '2:0', '3:1'], 'the ends')
  })
}

// Words: address, topics' beginning, guarantee. Writes with defaults, and with idempotence, while the broker ends and is
// started again, until a file called `enough` says that this is over. Another client reads what was written: the numbers
// 0, 1, ... up to the count that is printed.
async function throughARestart(bootstrap, prefix) {
  const modes = [['plain', {}], ['idempotent', { idempotent: true, maxInFlightRequests: 1 }]]
  let begun = 0
  const writeOn = ([mode, settings]) =>
    producing(bootstrap, settings, async (producer) => {
      const topic = `${prefix}-${mode}`
      let sent = 0
      let before = -1
      while (!existsSync('enough')) {
        const [stored] = await producer.send({ topic, messages: [{ partition: 0, value: String(sent) }] })
        assert.ok(Number(stored.baseOffset) > before, `${stored.baseOffset} after ${before}`)
        before = Number(stored.baseOffset)
        sent += 1
        if (sent === 1 && ++begun === modes.length) writeFileSync(`writing-${prefix}`, '')
        await pause(5)
      }
      console.log(`WROTE ${topic} ${sent}`)
    })
  await Promise.all(modes.map(writeOn))
}

const failed = (error) => {
  console.error(error)
  process.exit(1)
}

play({
  write_all: writeAll,
  nothing_but_the_address: nothingButTheAddress,
  acknowledgements,
  idempotent,
  large_records: largeRecords,
  members,
  admin: everythingOfAdmin,
  deleted_topic: deletedTopic,
  more_partitions: morePartitions,
  through_a_restart: throughARestart,
}).catch(failed)
