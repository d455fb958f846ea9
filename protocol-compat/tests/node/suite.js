// What the kafkajs programs share: the client with its codecs, the records that every client of the suites writes, and
// the entry that runs parts by name.
//
// The records are the same, byte for byte, in the programs of every language, so that one client can read what another
// wrote. kafkajs consumes by group only, so that others read what is written here.
'use strict'

const assert = require('node:assert/strict')
const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = require('kafkajs')
const snappy = require('kafkajs-snappy')
const lz4 = require('lz4-napi')
const zstd = require('@bokuweb/zstd-wasm')

const FIRST_TIMESTAMP = 1_700_000_000_000

const CODECS = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
}

// kafkajs has gzip, and takes the others from packages.
CompressionCodecs[CompressionTypes.Snappy] = snappy
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: (encoder) => lz4.compressFrame(encoder.buffer),
  decompress: (buffer) => lz4.decompressFrame(buffer),
})
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async (encoder) => Buffer.from(zstd.compress(encoder.buffer)),
  decompress: async (buffer) => Buffer.from(zstd.decompress(buffer)),
})

const kafka = (bootstrap) => new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING })

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds))

// The record that belongs at offset i of partition 0: nulls, empties, and more than ASCII.
function record(i) {
  let value = Buffer.from(`τιμή 🦦 ${i} ` + 'x'.repeat((i * 37) % 400))
  if (i % 7 === 3) value = null
  else if (i % 7 === 4) value = Buffer.alloc(0)
  let key = Buffer.from(`κλειδί-${i}`)
  if (i % 5 === 0 && value !== null) key = null
  else if (i % 5 === 1) key = Buffer.alloc(0)
  const headers = i % 3 === 0 ? {} : { заголовок: [Buffer.from(`значение-${i}`), Buffer.alloc(0)] }
  return { partition: 0, key, value, headers, timestamp: String(FIRST_TIMESTAMP + 1000 * i) }
}

// A producer for the time of `work`.
async function producing(bootstrap, settings, work) {
  const producer = kafka(bootstrap).producer(settings)
  await producer.connect()
  try {
    return await work(producer)
  } finally {
    await producer.disconnect()
  }
}

// An admin client for the time of `work`.
async function administering(bootstrap, work) {
  const admin = kafka(bootstrap).admin()
  await admin.connect()
  try {
    return await work(admin)
  } finally {
    await admin.disconnect()
  }
}

// Writes records first, ... in one batch, and checks where it was stored.
async function write(producer, topic, first, count, more = {}) {
  const messages = Array.from({ length: count }, (_, n) => record(first + n))
  const [stored] = await producer.send({ topic, messages, ...more })
  assert.equal(stored.errorCode, 0)
  assert.equal(stored.baseOffset, String(first), 'where the records were stored')
}

// Waits until a question about a change just made is answered with yes: at once, but where the broker under test is known
// to show its changes late.
async function settled(question, otherwise) {
  const until = Date.now() + 1000 * Number(process.env.SUITE_PATIENCE_SECONDS)
  while (!(await question())) {
    assert.ok(Date.now() < until, otherwise)
    await pause(20)
  }
}

// Runs the parts that the command line names, with the words behind each, and says of each that it came to its end.
async function play(parts) {
  await zstd.init()
  const words = process.argv.slice(2)
  while (words.length > 0) {
    const end = words.indexOf('--')
    const [name, ...ofPart] = words.splice(0, end < 0 ? words.length : end)
    words.shift()
    await parts[name](...ofPart)
    console.log(`PASS ${name}`)
  }
}

module.exports = { CODECS, FIRST_TIMESTAMP, administering, kafka, pause, play, producing, record, settled, write }
