// As much of Kinesis as KCL asks for, over HTTP/2 without TLS and in CBOR: the proxy cannot spoil those connections.
// Arguments: shards, answers of 10 MB for each, and how many first GetRecords calls are answered ResourceNotFoundException.
const http2 = require("node:http2");

const [shards, answers, notFound] = process.argv.slice(2).map(Number);
const RECORDS = 10;
const data = Buffer.alloc(1024 * 1024, " ");
let refusals = notFound;

function head(kind, size) {
  if (size < 24) return Buffer.from([(kind << 5) | size]);
  const long = Buffer.alloc(5);
  long[0] = (kind << 5) | 26;
  long.writeUInt32BE(size, 1);
  return long;
}

function cbor(value) {
  if (Buffer.isBuffer(value)) return Buffer.concat([head(2, value.length), value]);
  if (typeof value === "string") return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)]);
  if (typeof value === "number") return head(0, value);
  if (Array.isArray(value)) return Buffer.concat([head(4, value.length), ...value.map(cbor)]);
  const entries = Object.entries(value);
  return Buffer.concat([head(5, entries.length), ...entries.flatMap(([name, member]) => [cbor(name), cbor(member)])]);
}

const shardId = (shard) => `shardId-${String(shard).padStart(12, "0")}`;
const sequenceNumber = (number) => String(10n ** 55n + BigInt(number));
const width = 2n ** 128n / BigInt(shards);

const operations = {
  ListShards: () => ({
    Shards: Array.from({ length: shards }, (_, shard) => ({
      ShardId: shardId(shard),
      HashKeyRange: {
        StartingHashKey: String(BigInt(shard) * width),
        EndingHashKey: String(shard === shards - 1 ? 2n ** 128n - 1n : BigInt(shard + 1) * width - 1n),
      },
      SequenceNumberRange: { StartingSequenceNumber: sequenceNumber(0) },
    })),
  }),
  GetShardIterator: (body) => ({ ShardIterator: `at-${Number(body.match(/shardId-(\d+)/)[1])}-0` }),
  GetRecords: (body) => {
    if (refusals-- > 0) return null;
    const [, shard, answer] = body.match(/at-(\d+)-(\d+)/).map(Number);
    const more = answer < answers;
    return {
      Records: Array.from({ length: more ? RECORDS : 0 }, (_, record) => ({
        SequenceNumber: sequenceNumber(answer * RECORDS + record + 1),
        PartitionKey: "any",
        Data: data,
      })),
      NextShardIterator: `at-${shard}-${answer + more}`,
      MillisBehindLatest: more ? 1000 : 0,
    };
  },
};

process.on("uncaughtException", (error) => {
  if (error.code !== "ECONNRESET") throw error; // whoever asked was killed
});
http2
  .createServer()
  .on("stream", (stream, headers) => {
    const parts = [];
    stream.on("data", (part) => parts.push(part));
    stream.on("end", () => {
      const operation = headers["x-amz-target"].split(".")[1];
      const answer = operations[operation](Buffer.concat(parts).toString("latin1"));
      const type = { "content-type": "application/x-amz-cbor-1.1" };
      stream.respond({ ":status": answer ? 200 : 400, ...type });
      stream.end(cbor(answer ?? { __type: "ResourceNotFoundException", message: "told" }));
    });
  })
  .listen(0, "127.0.0.1", function () {
    console.log(this.address().port);
  });
