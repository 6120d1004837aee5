// Writes lines by InfluxDB's client as a program that goes on running, and says what became of them: node write.mjs URL TOKEN LINE…
import { createRequire } from 'node:module'
const { InfluxDB } = createRequire(process.cwd() + '/')('@influxdata/influxdb-client')

const [url, token, ...lines] = process.argv.slice(2)
const end = await new Promise((resolve) => {
  const api = new InfluxDB({ url, token }).getWriteApi('any', 'any', 'ns', {
    flushInterval: 10, minRetryDelay: 10, maxRetryDelay: 100, retryJitter: 0, gzipThreshold: 0,
    writeSuccess: () => resolve('done'),
    writeFailed: (error) => {
      if (!error.canRetry?.()) resolve(`gave up: ${error.statusCode} ${error.message}`)
      else console.log(`failed ${error.statusCode}`)
    },
  })
  api.writeRecords(lines)
})
console.log(end)
process.exit()
