// Buttons, legend and tooltip.

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties)
  element.append(...children)
  return element
}

const TOOLS = [
  ["pan", "Pan", "Move the map"],
  ["box", "Box", "Select by a box"],
  ["lasso", "Lasso", "Select by a lasso"],
]

class Toolbar {
  constructor(acts) {
    this.tools = TOOLS.map(([value, text, title]) => {
      const button = make("button", { type: "button", textContent: text, title, onclick: () => acts.tool(value) })
      button.dataset.tool = value
      return button
    })
    const plain = (text, title, act) => {
      const button = make("button", { type: "button", textContent: text, title, onclick: act })
      button.setAttribute("aria-label", title)
      return button
    }
    this.clear = make("button", { type: "button", textContent: "Clear", title: "Clear the selection", onclick: acts.clear })
    const tools = make("div", { className: "group" }, ...this.tools)
    tools.setAttribute("role", "group")
    tools.setAttribute("aria-label", "Tool")
    const zoom = make(
      "div",
      { className: "group" },
      plain("−", "Zoom out", () => acts.zoom(0.7)),
      plain("+", "Zoom in", () => acts.zoom(1.4)),
      plain("Fit", "Fit: reset view", acts.fit),
    )
    this.said = make("span", { className: "said" })
    this.said.setAttribute("role", "status")
    this.root = make("div", { className: "toolbar" }, tools, zoom, this.clear, this.said)
  }

  show(tool, selected, said) {
    for (const button of this.tools) button.setAttribute("aria-pressed", String(button.dataset.tool === tool))
    this.clear.hidden = selected === null
    if (this.said.textContent !== said) this.said.textContent = said // what has not changed is not read out again
  }
}

class Legend {
  constructor(emphasise) {
    this.emphasise = emphasise
    this.root = make("div", { className: "legend" })
  }

  show({ legend, palette, scale, sensors, symbols }, emphasised) {
    const wanted = JSON.stringify([legend, palette, scale, sensors, symbols, emphasised])
    if (wanted === this.shown) return
    this.shown = wanted
    this.root.replaceChildren()
    if (scale) {
      const ramp = make("span", { className: "ramp" })
      ramp.style.background = `linear-gradient(to right, ${palette.join(", ")})`
      this.root.append(make("span", { className: "scale" }, scale[0], ramp, scale[1]))
    }
    for (const [code, text] of legend) {
      const swatch = make("span", { className: "swatch" })
      swatch.style.background = palette[code]
      const act = () => this.emphasise(emphasised === code ? null : code)
      const button = make("button", { type: "button", title: `Show ${text} alone`, onclick: act }, swatch, text)
      button.setAttribute("aria-pressed", String(emphasised === code))
      this.root.append(button)
    }
    if (symbols) {
      sensors.forEach((title, number) => {
        const glyph = make("span", { className: "glyph", textContent: "●▲■◆"[number % 4] })
        glyph.setAttribute("aria-hidden", "true")
        this.root.append(make("span", { className: "symbol" }, glyph, title))
      })
    }
  }
}

class Tooltip {
  constructor() {
    this.root = make("div", { className: "tooltip", hidden: true })
    this.root.setAttribute("role", "tooltip")
  }

  hide() {
    this.root.hidden = true
  }

  show({ lines, jpeg, row }, across, down, width, height) {
    if (this.row !== row || this.root.hidden) {
      this.row = row
      const said = lines.map((line, number) => make("div", { className: number ? "" : "first", textContent: line }))
      const picture = jpeg ? [make("img", { src: `data:image/jpeg;base64,${jpeg}`, alt: "" })] : []
      this.root.replaceChildren(...picture, make("div", {}, ...said))
      this.root.hidden = false
    }
    const [wide, tall] = [this.root.offsetWidth, this.root.offsetHeight]
    const left = across + 14 + wide > width ? across - 14 - wide : across + 14
    const top = down + 14 + tall > height ? down - 14 - tall : down + 14
    this.root.style.left = `${Math.max(0, Math.min(width - wide, left))}px`
    this.root.style.top = `${Math.max(0, top)}px`
  }
}
