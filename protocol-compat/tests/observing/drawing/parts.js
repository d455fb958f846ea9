// What all of the page's parts need: Grafana's dark theme, its texts for values, and elements.
import { createTheme, formattedValueToString, getValueFormat } from '@grafana/data'

export const theme = createTheme({ colors: { mode: 'dark' } })
export const colourOf = (name) => theme.visualization.getColorByName(name)
export const PALETTE = theme.visualization.palette.map(colourOf)

export const made = (parent, kind, name, text) => {
  const element = document.createElement(kind)
  element.className = name
  if (text !== undefined) element.textContent = text
  parent.append(element)
  return element
}

export const shown = (value, config) =>
  Number.isFinite(value) ? formattedValueToString(getValueFormat(config.unit)(value, config.decimals)) : 'NaN'

export const thresholdColour = (config, value) => {
  const steps = config.thresholds?.steps ?? [{ color: 'green', value: null }]
  return colourOf(steps.filter((step) => step.value === null || value >= step.value).at(-1).color)
}

export const withAlpha = (colour, alpha) => colour + Math.round(alpha * 255).toString(16).padStart(2, '0')
