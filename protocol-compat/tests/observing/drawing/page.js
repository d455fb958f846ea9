// The page that `draw.js` opens: draws one dashboard with its answers, in Grafana's grid, colours, units and proportions.
// It knows nothing of Prometheus. What it cannot draw is an error, never an empty place.
import { drawGraph, drawSparkline } from './graph.js'
import { colourOf, made, PALETTE, shown, thresholdColour } from './parts.js'

const CALCS = {
  lastNotNull: ['Last *', (values) => values.filter((value) => value !== null).at(-1)],
  max: ['Max', (values) => Math.max(...values.filter(Number.isFinite))],
}

// As Grafana names a series: by the legend's format, else by its labels.
const nameOf = ({ target, labels }) => {
  if (target.legendFormat) return target.legendFormat.replace(/{{\s*(\w+)\s*}}/g, (_, label) => labels[label] ?? '')
  const { __name__: metric = '', ...others } = labels
  const pairs = Object.entries(others).map(([label, value]) => `${label}="${value}"`)
  return pairs.length > 0 ? `${metric}{${pairs.join(', ')}}` : metric || target.expr
}

const put = (object, path, value) => {
  const keys = path.split('.')
  const last = keys.pop()
  let inner = object
  for (const key of keys) inner = inner[key] ??= {}
  inner[last] = value
}

// The panel's defaults, and what an override says of a series of this name.
const configOf = (panel, name) => {
  const config = structuredClone(panel.fieldConfig.defaults)
  for (const { matcher, properties } of panel.fieldConfig.overrides) {
    const fits = {
      byName: () => matcher.options === name,
      byRegexp: () => new RegExp(matcher.options.replace(/^\/|\/$/g, '')).test(name),
    }[matcher.id]
    if (!fits) throw new Error(`${panel.title}: ${matcher.id} is not known here`)
    if (fits()) for (const { id, value } of properties) put(config, id, value)
  }
  return config
}

const fieldsOf = (panel) =>
  panel.series.map((series, index) => {
    const name = nameOf(series)
    const config = configOf(panel, name)
    const fixed = config.color?.mode === 'fixed' ? colourOf(config.color.fixedColor) : undefined
    return { ...series, name, config, colour: fixed ?? PALETTE[index % PALETTE.length] }
  })

const isEmpty = (panel) => !panel.series.some(({ values }) => values.some(Number.isFinite))

const sortedFor = ({ sortBy, sortDesc }, fields) => {
  const calc = Object.values(CALCS).find(([title]) => title === sortBy)?.[1]
  if (!calc) return fields
  const key = ({ values }) => calc(values) ?? -Infinity
  return [...fields].sort((one, other) => (key(one) - key(other)) * (sortDesc ? -1 : 1))
}

const drawLegend = (parent, fields, options) => {
  if (options.legend.displayMode !== 'table') throw new Error(`a legend as ${options.legend.displayMode} is not known here`)
  const calcs = options.legend.calcs.map((id) => CALCS[id])
  const table = made(parent, 'table', 'legend')
  const head = made(table, 'tr', '')
  for (const text of ['Name', ...calcs.map(([title]) => title)]) made(head, 'th', '', text)
  for (const { name, colour, config, values } of sortedFor(options.legend, fields)) {
    const row = made(table, 'tr', '')
    const cell = made(row, 'td', '')
    made(cell, 'i', 'mark').style.background = colour
    cell.append(name)
    for (const [, calc] of calcs) made(row, 'td', '', shown(calc(values), config))
  }
}

const timeseries = (body, panel, { times }) => {
  const fields = fieldsOf(panel)
  const graph = made(body, 'div', 'graph')
  body.classList.add(panel.options.legend.placement)
  if (panel.options.legend.showLegend) drawLegend(made(body, 'div', 'below'), fields, panel.options)
  drawGraph(graph, fields, times)
}

const stat = (body, panel, { times }) => {
  const { textMode, graphMode } = panel.options
  const values = made(body, 'div', 'stats')
  const fields = fieldsOf(panel)
  for (const field of fields) {
    const last = CALCS.lastNotNull[1](field.values)
    const colour = thresholdColour(field.config, last)
    const one = made(values, 'div', 'value')
    if (textMode !== 'name' && fields.length > 1) made(one, 'div', 'label', field.name)
    const text = textMode === 'name' ? field.name : shown(last, field.config)
    made(one, 'span', 'number', text).style.color = colour
    if (graphMode === 'area' && field.values.length > 1) drawSparkline(one, field, colour, times)
  }
}

// Labels become columns, as Grafana's tables have them, arranged as the panel's transformation says.
const rowsOf = (panel) => {
  const all = new Set(panel.series.flatMap(({ labels }) => Object.keys(labels)))
  let columns = ['Time', ...[...all].sort(), 'Value'].map((name) => ({ name, title: name }))
  for (const { id, options } of panel.transformations ?? []) {
    if (id !== 'organize') throw new Error(`${panel.title}: ${id} is not known here`)
    columns = columns.filter(({ name }) => !options.excludeByName[name])
    for (const column of columns) column.title = options.renameByName[column.name] ?? column.name
    columns = columns.map((column, at) => [options.indexByName[column.name] ?? at, column])
    columns = columns.sort(([one], [other]) => one - other).map(([, column]) => column)
  }
  const rows = panel.series.map(({ labels, values }) => columns.map(({ name }) => (name === 'Value' ? values[0] : (labels[name] ?? ''))))
  for (const { displayName, desc } of panel.options.sortBy ?? []) {
    const by = columns.findIndex(({ title }) => title === displayName)
    if (by < 0) throw new Error(`${panel.title}: it is sorted by ${displayName}, which is no column`)
    rows.sort((one, other) => (one[by] < other[by] ? -1 : 1) * (desc ? -1 : 1))
  }
  return { columns, rows }
}

const table = (body, panel) => {
  const { columns, rows } = rowsOf(panel)
  const element = made(body, 'table', 'rows')
  const head = made(element, 'tr', '')
  for (const { title } of columns) made(head, 'th', '', title)
  for (const cells of rows) {
    const row = made(element, 'tr', '')
    cells.forEach((cell, at) => {
      const isNumber = typeof cell === 'number'
      const config = configOf(panel, columns[at].title)
      const mapped = config.mappings?.find(({ type }) => type === 'value')?.options[cell]?.text
      made(row, 'td', isNumber ? 'number' : '', mapped ?? (isNumber ? shown(cell, config) : cell))
    })
  }
}

const KINDS = { stat, table, timeseries }

const drawPanel = (grid, panel, dashboard) => {
  const { x, y, w, h } = panel.gridPos
  const place = `grid-area: ${y + 1} / ${x + 1} / span ${h} / span ${w}`
  if (panel.type === 'row') {
    made(grid, 'div', 'row', `⌄  ${panel.title}`).style = place
    return null
  }
  const draw = KINDS[panel.type]
  if (!draw) throw new Error(`${panel.title}: a panel of the kind ${panel.type} is not known here`)
  const frame = made(grid, 'section', `panel ${panel.type}`)
  frame.style = place
  const title = made(frame, 'h2', '', panel.title)
  const body = made(frame, 'div', 'body')
  if (isEmpty(panel)) made(body, 'div', 'nothing', 'No data')
  else draw(body, panel, dashboard)
  const tight = [title, ...frame.querySelectorAll('.value .number, .rows td')]
  return tight.some((element) => element.scrollWidth > element.clientWidth + 1) ? 'tight' : 'fits'
}

window.draw = async (dashboard) => {
  await Promise.all([400, 500].map((weight) => document.fonts.load(`${weight} 12px Inter`)))
  const head = made(document.body, 'header', '')
  made(head, 'h1', '', dashboard.title)
  for (const { label, current, type } of dashboard.variables) {
    if (type === 'query') made(head, 'span', 'variable', `${label}  `).append(made(head, 'b', '', current?.text ?? 'one'))
  }
  const grid = made(document.body, 'main', '')
  const results = dashboard.panels.map((panel) => [panel, drawPanel(grid, panel, dashboard)])
  const drawn = results.filter(([, result]) => result)
  // uPlot draws when the browser is free.
  await new Promise((done) => setTimeout(done, 200))
  return {
    panels: drawn.length,
    series: drawn.reduce((sum, [panel]) => sum + panel.series.length, 0),
    empty: [...document.querySelectorAll('.nothing')].map((one) => one.closest('section').querySelector('h2').textContent),
    tight: drawn.filter(([, result]) => result === 'tight').map(([panel]) => panel.title),
  }
}
