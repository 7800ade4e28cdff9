// What stands around the pictures. Whatever comes from files or links becomes text, never markup.

function make(kind, properties = {}, ...inside) {
  const element = Object.assign(document.createElement(kind), properties)
  element.append(...inside)
  return element
}

let numbered = 0

// One of several, as a row of buttons; where they are many, as a list.
class Choice {
  constructor(legend, onChoice) {
    this.onChoice = onChoice
    this.row = make("div", { className: "segments" })
    this.root = make("fieldset", {}, make("legend", { textContent: legend }), this.row)
    this.name = `choice-${numbered++}`
    this.legend = legend
    this.offered = ""
  }

  // options: {value, title} each.
  offer(options, chosen, enabled = true) {
    const offered = JSON.stringify(options)
    if (offered !== this.offered) {
      this.offered = offered
      this.row.replaceChildren(...(options.length > 7 ? [this.list(options)] : options.map((one) => this.button(one))))
    }
    for (const input of this.row.querySelectorAll("input")) input.checked = input.value === chosen
    for (const list of this.row.querySelectorAll("select")) list.value = chosen
    this.root.disabled = !enabled
  }

  button({ value, title }) {
    const input = make("input", { type: "radio", name: this.name, value, onchange: () => this.onChoice(value) })
    return make("label", {}, input, make("span", { textContent: title }))
  }

  list(options) {
    const entries = options.map(({ value, title }) => make("option", { value, textContent: title }))
    const list = make("select", { onchange: () => this.onChoice(list.value) }, ...entries)
    list.setAttribute("aria-label", this.legend)
    return list
  }
}

// The kinds of maps, in groups of what they explain.
class MapChoice {
  constructor(onChoice) {
    this.list = make("select", { onchange: () => onChoice(this.list.value) })
    this.list.setAttribute("aria-label", "Map")
    this.root = make("label", { className: "field" }, make("span", { textContent: "Map" }), this.list)
    this.offered = ""
  }

  offer(maps, chosen) {
    const offered = JSON.stringify(maps)
    if (offered !== this.offered) {
      this.offered = offered
      const groups = new Map()
      for (const { value, title, group } of maps) {
        if (!groups.has(group)) groups.set(group, make("optgroup", { label: group }))
        groups.get(group).append(make("option", { value, textContent: title }))
      }
      this.list.replaceChildren(...groups.values())
    }
    this.list.value = chosen
    this.root.hidden = maps.length < 2
  }
}

class Opacity {
  constructor(onChange) {
    this.range = make("input", { type: "range", min: "0", max: "1", step: "0.05" })
    this.range.setAttribute("aria-label", "Opacity")
    this.range.oninput = () => onChange(Number(this.range.value))
    this.shown = make("output")
    this.root = make("label", { className: "field" }, make("span", {}, "Opacity ", this.shown), this.range)
  }

  offer(value, enabled) {
    this.range.value = String(value)
    this.shown.textContent = value.toFixed(2)
    this.range.disabled = !enabled
  }
}

// Whether to believe a map: a few words, and what they rest on when asked.
class Badge {
  constructor() {
    this.button = make("button", { type: "button" })
    this.detail = make("p", { className: "detail", hidden: true })
    this.root = make("div", { className: "badge", hidden: true }, this.button, this.detail)
    this.button.onclick = () => {
      this.detail.hidden = !this.detail.hidden
      this.button.setAttribute("aria-expanded", String(!this.detail.hidden))
    }
  }

  show(badge) {
    this.root.hidden = !badge
    if (!badge) return
    this.button.textContent = badge.text
    this.button.className = badge.tone
    this.button.disabled = !badge.detail
    this.button.title = badge.detail ? "What this rests on" : ""
    this.button.setAttribute("aria-expanded", String(!this.detail.hidden))
    this.detail.textContent = badge.detail
  }
}

// Probabilities of the classes; the label's is outlined and named.
function bars({ title, heading, probabilities }, classes, colours, label) {
  const rows = probabilities.map((value, k) => {
    const bar = make("div", { className: k === label ? "fill label" : "fill" })
    bar.style.width = `${100 * Math.min(Math.max(value, 0), 1)}%`
    bar.style.background = colours[k]
    return make(
      "div",
      { className: "row" },
      make("span", { className: "name", textContent: classes[k] + (k === label ? " (label)" : "") }),
      make("div", { className: "track" }, bar),
      make("span", { className: "value", textContent: value.toFixed(2) }),
    )
  })
  const list = make("div", { className: "bars" }, ...rows)
  const said = probabilities.map((value, k) => `${classes[k]} ${value.toFixed(2)}`).join(", ")
  list.setAttribute("role", "img")
  list.setAttribute("aria-label", `Probabilities by ${title}: ${said}`)
  return make("div", { className: "judge" }, ...(heading ? [make("h6", { textContent: heading })] : []), list)
}
