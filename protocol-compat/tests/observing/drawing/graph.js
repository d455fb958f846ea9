// Lines over time, by uPlot, which is what Grafana draws them with.
import uPlot from 'uplot'
import { colourOf, made, shown, theme, withAlpha } from './parts.js'

// Series with a unit of their own have a scale and an axis of their own, the second one on the right.
const axesOf = (fields) => {
  const axes = new Map()
  for (const { config } of fields) {
    const unit = config.unit
    const placement = config.custom?.axisPlacement ?? 'auto'
    const side = placement === 'right' || (placement === 'auto' && axes.size > 0 && !axes.has(unit)) ? 1 : 3
    if (!axes.has(unit)) axes.set(unit, { side, config })
  }
  return axes
}

const rangeOf = ({ min, max, custom }) => {
  const log = custom?.scaleDistribution?.type === 'log'
  if (log) return (_, low, high) => uPlot.rangeLog(low ?? 1, high ?? 10, custom.scaleDistribution.log, true)
  const wanted = {
    min: { pad: 0.1, hard: min ?? -Infinity, soft: custom?.axisSoftMin ?? 0, mode: custom?.axisSoftMin === undefined ? 3 : 1 },
    max: { pad: 0.1, hard: max ?? Infinity, soft: custom?.axisSoftMax ?? 0, mode: custom?.axisSoftMax === undefined ? 3 : 1 },
  }
  return (_, low, high) => {
    const [from, to] = low === null ? [min ?? 0, max ?? 1] : uPlot.rangeNum(low, high, wanted)
    return [min ?? from, max ?? to]
  }
}

// Each line is drawn at the sum of those below it, and filled down to the one below it.
const stacked = (fields) => {
  const sums = fields[0].values.map(() => 0)
  return fields.map(({ values }) => values.map((value, at) => (sums[at] += Number.isFinite(value) ? value : 0)))
}

const thresholdLines = (config, scale) => (plot) => {
  const { ctx, bbox } = plot
  for (const { value, color } of config.thresholds.steps.filter((step) => step.value !== null)) {
    const y = plot.valToPos(value, scale, true)
    if (y < bbox.top || y > bbox.top + bbox.height) continue
    ctx.strokeStyle = withAlpha(colourOf(color), 0.7)
    ctx.lineWidth = 2
    ctx.beginPath()
    ctx.moveTo(bbox.left, y)
    ctx.lineTo(bbox.left + bbox.width, y)
    ctx.stroke()
  }
}

export const drawGraph = (parent, fields, times) => {
  const axes = axesOf(fields)
  const first = fields[0].config
  const isStacked = first.custom.stacking?.mode === 'normal'
  const lines = isStacked ? stacked(fields) : fields.map(({ values }) => values.map((value) => (Number.isFinite(value) ? value : null)))
  const font = '12px Inter'
  const grid = { stroke: 'rgba(240, 250, 255, 0.09)', width: 1 }
  const axis = { stroke: theme.colors.text.primary, font, grid, ticks: { ...grid, size: 4 }, gap: 4 }
  const clock = (seconds) => new Date(seconds * 1000).toISOString().slice(11, 19)
  const scales = { x: { time: true, range: () => [times[0], times.at(-1)] } }
  const sides = [{ ...axis, values: (_, splits) => splits.map(clock), space: 90, size: 26 }]
  for (const [unit, { side, config }] of axes) {
    const log = config.custom.scaleDistribution?.type === 'log'
    scales[unit] = { range: rangeOf(config), ...(log && { distr: 3, log: config.custom.scaleDistribution.log }) }
    const texts = (_, splits) => splits.map((value) => (value === null ? null : shown(value, config)))
    const size = (_, values) => Math.max(40, 14 + 7 * Math.max(...(values ?? []).map((text) => String(text ?? '').length)))
    // What is counted in powers of 1024 has its lines there.
    const incrs = unit === 'bytes' ? { incrs: Array.from({ length: 50 }, (_, power) => 2 ** power) } : {}
    sides.push({ ...axis, ...incrs, scale: unit, side, values: texts, size, space: 30, grid: side === 1 ? { show: false } : grid })
  }
  const series = fields.map(({ colour, config }) => ({
    scale: config.unit,
    stroke: colour,
    width: config.custom.lineWidth,
    fill: config.custom.fillOpacity ? withAlpha(colour, config.custom.fillOpacity / 100) : undefined,
    points: { show: false },
  }))
  const bands = isStacked ? fields.slice(1).map((_, below) => ({ series: [below + 2, below + 1] })) : []
  const hooks = first.custom.thresholdsStyle?.mode === 'line' ? { draw: [thresholdLines(first, first.unit)] } : {}
  const size = { width: parent.clientWidth, height: parent.clientHeight }
  const options = { ...size, scales, axes: sides, series: [{}, ...series], bands, hooks, legend: { show: false }, cursor: { show: false } }
  return new uPlot({ ...options, padding: [10, 12, 0, 4] }, [times, ...lines], parent)
}

export const drawSparkline = (body, field, colour, times) => {
  const size = { width: body.clientWidth, height: body.clientHeight / 3 }
  const series = [{}, { scale: 'y', stroke: colour, width: 1, fill: withAlpha(colour, 0.2), points: { show: false } }]
  const scales = { x: { time: false }, y: { range: (_, low, high) => [Math.min(low ?? 0, 0), high > low ? high : (low ?? 0) + 1] } }
  const bare = { legend: { show: false }, cursor: { show: false }, axes: [{ show: false }, { show: false, scale: 'y' }], padding: [2, 0, 0, 0] }
  const values = field.values.map((value) => (Number.isFinite(value) ? value : null))
  new uPlot({ ...size, ...bare, scales, series }, [times, values], made(body, 'div', 'spark'))
}
