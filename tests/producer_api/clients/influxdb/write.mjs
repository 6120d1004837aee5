// Writes lines by InfluxDB's client, and says what became of them: node write.mjs URL TOKEN LINE…
import { createRequire } from 'node:module'
const { InfluxDB } = createRequire(process.cwd() + '/')('@influxdata/influxdb-client')

const [url, token, ...lines] = process.argv.slice(2)
const api = new InfluxDB({ url, token }).getWriteApi('any', 'any', 'ns', {
  minRetryDelay: 10, maxRetryDelay: 50, retryJitter: 0, maxRetries: 3, gzipThreshold: 0,
  writeFailed: (error, _, attempt) => { console.log(`failed ${error.statusCode ?? error.code} at ${attempt}`) },
})
api.writeRecords(lines)
try {
  await api.close()
  console.log('done')
} catch (error) {
  console.log(`gave up: ${error.statusCode} ${error.message}`)
}
