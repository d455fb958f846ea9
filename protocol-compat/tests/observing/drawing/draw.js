// Draws dashboards as Grafana would, from what a live Prometheus answers to their queries: asks, lets `page.js` draw in a
// headless browser, and keeps a picture of each. Its one argument is a JSON object:
//
//   prometheus       its address
//   from, to         the time to draw, in seconds, and step_seconds between two points
//   rate_interval    what stands for $__rate_interval
//   variables        what stands for each variable, by name
//   browser          the program, and browser_libraries, where the loader finds what it needs
//   dashboards       the files
//   out              the folder for the pictures
//
// Of each dashboard it prints a line of JSON: its name, how many panels and series were drawn, which panels have nothing to
// show, which have text that does not fit, what the page complained of, and the picture's size and colours.
'use strict'

const fs = require('node:fs')
const path = require('node:path')
const esbuild = require('esbuild')
const puppeteer = require('puppeteer-core')
const UPNG = require('upng-js')

const WIDTH = 1500
const COLOURS = 128
const task = JSON.parse(process.argv[2])

const filledIn = (query) => {
  const known = { ...task.variables, __rate_interval: task.rate_interval }
  return query.replace(/\$(\w+)/g, (whole, name) => known[name] ?? whole)
}

const ask = async (kind, parameters) => {
  const answer = await fetch(`http://${task.prometheus}/api/v1/${kind}?${new URLSearchParams(parameters)}`)
  const body = await answer.json()
  if (body.status !== 'success') throw new Error(`${parameters.query}: ${JSON.stringify(body)}`)
  return body.data.result
}

// What a target's query finds: series with labels, and a value or null for each of the times.
const seriesOf = async (target, times) => {
  const query = filledIn(target.expr)
  if (target.instant) {
    const found = await ask('query', { query, time: task.to })
    return found.map(({ metric, value }) => ({ target, labels: metric, values: [Number(value[1])] }))
  }
  const found = await ask('query_range', { query, start: task.from, end: task.to, step: task.step_seconds })
  return found.map(({ metric, values }) => {
    const at = new Map(values.map(([time, value]) => [Math.round(time), Number(value)]))
    return { target, labels: metric, values: times.map((time) => at.get(time) ?? null) }
  })
}

const filled = async (dashboard) => {
  const times = []
  for (let time = task.from; time <= task.to; time += task.step_seconds) times.push(time)
  const panels = []
  for (const panel of dashboard.panels) {
    const found = await Promise.all((panel.targets ?? []).map((target) => seriesOf(target, times)))
    panels.push({ ...panel, series: found.flat() })
  }
  return { title: dashboard.title, variables: dashboard.templating.list, times, panels }
}

const theScript = async () => {
  const made = await esbuild.build({
    entryPoints: [path.join(__dirname, 'page.js')],
    bundle: true,
    write: false,
    minify: true,
    format: 'iife',
    define: { 'process.env.NODE_ENV': '"production"' },
    logLevel: 'error',
  })
  return made.outputFiles[0].text
}

// The font that Grafana is set in, so that the picture does not depend on the machine's.
const theFonts = () =>
  [400, 500].map((weight) => {
    const file = require.resolve(`@fontsource/inter/files/inter-latin-${weight}-normal.woff2`)
    const data = fs.readFileSync(file).toString('base64')
    return `@font-face{font-family:Inter;font-weight:${weight};src:url(data:font/woff2;base64,${data})}`
  })

const draw = async (page, html, file) => {
  const dashboard = await filled(JSON.parse(fs.readFileSync(file, 'utf8')))
  const complaints = []
  page.removeAllListeners('pageerror')
  page.on('pageerror', (error) => complaints.push(String(error)))
  await page.setContent(html)
  const drawn = await page.evaluate((dashboard) => window.draw(dashboard), dashboard)
  const shot = await page.screenshot({ fullPage: true })
  const whole = UPNG.decode(shot)
  const pixels = UPNG.toRGBA8(whole)[0]
  const name = path.basename(file, '.json')
  const picture = Buffer.from(UPNG.encode([pixels], whole.width, whole.height, COLOURS))
  fs.writeFileSync(path.join(task.out, `${name}.png`), picture)
  const colours = new Set(new Uint32Array(pixels)).size
  const size = { width: whole.width, height: whole.height, bytes: picture.length, colours }
  console.log(JSON.stringify({ name, ...drawn, complaints, ...size }))
}

const thePage = async () => {
  const styles = [require.resolve('uplot/dist/uPlot.min.css'), path.join(__dirname, 'page.css')]
  const style = [...theFonts(), ...styles.map((file) => fs.readFileSync(file, 'utf8'))].join('')
  return `<!doctype html><meta charset="utf-8"><style>${style}</style><body><script>${await theScript()}</script>`
}

const main = async () => {
  const browser = await puppeteer.launch({
    executablePath: task.browser,
    headless: 'shell',
    pipe: true,
    // Its own sandbox wants rights that a container seldom has; it opens one page, which is ours.
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--force-color-profile=srgb'],
    env: { ...process.env, LD_LIBRARY_PATH: task.browser_libraries },
    defaultViewport: { width: WIDTH, height: 900 },
    userDataDir: path.join(task.out, 'browser'),
  })
  try {
    const page = await browser.newPage()
    const html = await thePage()
    for (const file of task.dashboards) await draw(page, html, file)
  } finally {
    await browser.close()
  }
}

main().catch((error) => {
  console.error(error)
  process.exit(1)
})
