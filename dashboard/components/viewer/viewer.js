// A pair's pictures with their maps, and its probabilities. A new class, opacity or mode is drawn here, without the
// server, which is told of it afterwards so that the link says it.

const SIDE = "side"
const SWIPE = "swipe"
const DIFFERENCE = "difference"
const QUIET = 250 // milliseconds without a change after which the server is told

class Viewer {
  constructor(parent) {
    this.root = parent.querySelector(".viewer")
    this.view = null
    this.shared = new SharedWindow()
    this.panes = []
    this.evidence = new Choice("Evidence for", (value) => this.choose({ class: value }))
    this.mode = new Choice("View", (value) => this.choose({ mode: value }))
    this.kind = new MapChoice((value) => this.choose({ map: value }))
    this.opacity = new Opacity((value) => this.choose({ opacity: value }))
    this.toolbar = make("div", { className: "toolbar" })
    this.toolbar.append(this.evidence.root, this.mode.root, this.kind.root, this.opacity.root)
    this.pictures = make("div", { className: "columns pictures" })
    this.note = make("p", { className: "note" })
    this.note.setAttribute("role", "status")
    this.low = make("span")
    this.ramp = make("canvas", { className: "ramp", width: 256, height: 1 })
    this.high = make("span")
    this.zoom = make("div", { className: "zoom" })
    for (const [text, title, act] of [
      ["−", "Zoom out", () => this.shared.zoomBy(0.8)],
      ["+", "Zoom in", () => this.shared.zoomBy(1.25)],
      ["1:1", "Whole pictures", () => this.shared.reset()],
    ]) {
      const button = make("button", { type: "button", textContent: text, title, onclick: act })
      button.setAttribute("aria-label", title)
      this.zoom.append(button)
    }
    this.scale = make("div", { className: "scale" }, this.low, this.ramp, this.high)
    this.legend = make("div", { className: "legend" }, this.scale, this.zoom)
    this.bars = make("div", { className: "columns" })
    this.joint = make("aside")
    const main = make("div", { className: "main" }, this.pictures, this.note, this.legend, this.bars)
    this.root.append(this.toolbar, make("div", { className: "body" }, main, this.joint))
  }

  // What the server sends; pictures are decoded before anything is drawn, so that all changes at once.
  async update({ data, setStateValue }) {
    this.tell = (view) => setStateValue("view", view)
    const sent = JSON.stringify(data.view)
    if (sent !== this.sent) {
      this.sent = sent
      if (!this.waiting) this.view = { ...data.view }
    }
    if (data.hash === this.hash) return this.draw()
    this.hash = data.hash
    const pictures = await Promise.all(data.sensors.map((sensor) => this.decoded(sensor.jpeg)))
    if (this.hash !== data.hash) return // a newer pair has come meanwhile
    this.data = data
    this.tables = Object.fromEntries(Object.entries(data.stops).map(([name, stops]) => [name, colourTable(stops)]))
    this.sensors = data.sensors.map((sensor, k) => ({ ...sensor, picture: pictures[k], grids: this.grids(sensor) }))
    this.layOut()
    this.draw()
  }

  async decoded(jpeg) {
    if (!jpeg) return null
    try {
      return await createImageBitmap(new Blob([bytesOf(jpeg)], { type: "image/jpeg" }))
    } catch {
      return null
    }
  }

  grids({ maps, shape }) {
    if (!maps) return []
    const values = new Float32Array(bytesOf(maps).buffer)
    const [count, h, w] = shape
    return Array.from({ length: count }, (_, k) => ({ shape: [h, w], values: values.subarray(k * h * w, (k + 1) * h * w) }))
  }

  // What does not depend on the view: columns, bars, choices.
  layOut() {
    const { data, sensors } = this
    while (this.panes.length < sensors.length) {
      this.panes.push(new Pane(this.shared))
      if (this.panes.length === 1) this.divider = new Divider(this.panes[0])
    }
    const shown = this.panes.slice(0, sensors.length)
    if (this.pictures.childElementCount !== shown.length) this.pictures.replaceChildren(...shown.map((pane) => pane.figure))
    this.root.style.setProperty("--sensors", sensors.length)
    const judged = sensors.some((sensor) => sensor.probabilities)
    const judge = (one) => bars(one, data.classes, data.colours, data.label)
    this.bars.replaceChildren(...sensors.map((one) => (one.probabilities ? judge(one) : make("div"))))
    this.bars.hidden = !judged
    this.joint.replaceChildren(...(data.joint ? [judge({ ...data.joint, heading: data.joint.title })] : []))
    this.joint.hidden = !data.joint
    this.root.classList.toggle("joined", Boolean(data.joint))
    this.pictures.hidden = !data.pictures
  }

  // Which of a sensor's maps is shown: that of the class chosen, or the only one. -1 where there is none.
  classOf(sensor) {
    if (this.view.class !== "predicted") return this.data.classes.indexOf(this.view.class)
    return sensor.predicted ?? -1
  }

  gridOf(sensor, number = this.classOf(sensor)) {
    return this.data.perClass ? sensor.grids[number] : sensor.grids[0]
  }

  // The class whose maps are subtracted: one and the same for both sensors.
  sharedClass() {
    const [first, second] = this.sensors.map((sensor) => this.classOf(sensor))
    return first === second ? first : this.data.jointClass ?? (first < 0 ? second : first)
  }

  explained(number) {
    if (!this.data.perClass) return this.data.explained
    return number < 0 ? "nothing predicted" : `evidence for ${this.data.classes[number]}`
  }

  draw() {
    const { data, view } = this
    if (!data) return
    const [first, second] = this.sensors
    const mapped = this.sensors.some((sensor) => sensor.grids.length)
    const both = Boolean(data.pictures && first?.picture && second?.picture)
    const subtractable = Boolean(both && first.grids.length && second.grids.length)
    const modes = [{ value: SIDE, title: "Side by side" }]
    if (both) modes.push({ value: SWIPE, title: "Swipe" })
    if (subtractable) modes.push({ value: DIFFERENCE, title: "Difference" })
    const mode = modes.some(({ value }) => value === view.mode) ? view.mode : SIDE
    this.mode.offer(modes, mode)
    this.mode.root.hidden = modes.length < 2
    this.kind.offer(data.maps, view.map)
    const classes = ["predicted", ...data.classes].map((value) => ({ value, title: value }))
    this.evidence.offer(classes, view.class, data.perClass)
    this.evidence.root.hidden = this.opacity.root.hidden = !mapped
    this.opacity.offer(view.opacity, mapped)
    this.toolbar.hidden = !mapped && data.maps.length < 2 && modes.length < 2
    this.note.textContent = data.note
    const grids = this.sensors.map((sensor) => this.gridOf(sensor))
    this.strength = strongest(grids.filter(Boolean))
    const single = mode === SWIPE || (mode === DIFFERENCE && data.registration)
    this.root.classList.toggle("single", Boolean(single))
    this.panes.forEach((pane, k) => (pane.figure.hidden = k >= this.sensors.length || (single && k > 0)))
    this.divider.root.hidden = mode !== SWIPE
    this.panes[0].divider = mode === SWIPE ? this.divider : null
    if (mode === SWIPE) drawSwipe(this, grids)
    else if (mode === DIFFERENCE) drawDifference(this)
    else this.sensors.forEach((sensor, k) => this.drawPicture(sensor, k, grids[k]))
    this.drawLegend(mode, mapped)
    this.note.hidden = !this.note.textContent
    this.root.dataset.shown = JSON.stringify({ ...view, mode })
    this.root.dataset.pair = data.pair
  }

  table(signed, grey) {
    const { evidence, signed: forAndAgainst, grey: none, greySigned } = this.tables
    return signed ? (grey ? greySigned : forAndAgainst) : grey ? none : evidence
  }

  // Whether the map shown does no better than random ones; ``number`` is the class that it explains.
  isGrey(sensor, number = this.classOf(sensor)) {
    const badge = this.badgeOf(sensor, number)
    return Boolean(badge && badge.tone === "grey")
  }

  badgeOf(sensor, number = this.classOf(sensor)) {
    if (!sensor.grids.length || (this.data.perClass && number < 0)) return null
    return this.data.perClass && sensor.badge && sensor.badge.class === number ? sensor.badge : sensor.otherwise
  }

  // Of two maps in one pane each badge says whose it is.
  namedBadges(grids, number) {
    return this.sensors.slice(0, 2).map((sensor, k) => {
      const badge = grids[k] ? this.badgeOf(sensor, number) : null
      return badge && { ...badge, text: `${sensor.title}: ${badge.text}` }
    })
  }

  heat(sensor, grid, { number = this.classOf(sensor), ...more } = {}) {
    const { signed } = this.data
    const table = this.table(signed, this.isGrey(sensor, number))
    const { width, height } = sensor.picture ?? { width: 200, height: 160 }
    const values = resized(grid, width, height)
    return coloured(values, width, height, { scale: this.strength, table, signed, opacity: this.view.opacity, ...more })
  }

  drawPicture(sensor, k, grid) {
    const pane = this.panes[k]
    pane.stage.hidden = !sensor.picture
    pane.empty.hidden = Boolean(sensor.picture)
    pane.empty.textContent = sensor.missing
    pane.believe(sensor.picture && grid ? this.badgeOf(sensor) : null)
    pane.caption.textContent = sensor.picture ? this.said(sensor, grid) : ""
    if (!sensor.picture) return
    const layers = [{ picture: sensor.picture }]
    if (grid) layers.push({ picture: this.heat(sensor, grid) })
    pane.show(layers, sensor.picture.height / sensor.picture.width, `${sensor.title} image of ${this.data.pair}${grid ? `, ${this.explained(this.classOf(sensor))}` : ""}`)
  }

  said(sensor, grid) {
    return grid ? `${sensor.title}, ${this.explained(this.classOf(sensor))}` : sensor.title
  }

  addNote(sentence) {
    this.note.textContent = [this.note.textContent, sentence].filter(Boolean).join(" ")
  }

  drawLegend(mode, mapped) {
    const { data } = this
    const apart = mode === DIFFERENCE && data.registration
    const signed = data.signed || apart
    const mappedSensors = this.sensors.filter((sensor) => sensor.grids.length)
    const shown = (sensor) => (mode === DIFFERENCE ? this.sharedClass() : this.classOf(sensor))
    const poor = (sensor) => this.isGrey(sensor, shown(sensor))
    const grey = apart ? mappedSensors.slice(0, 2).some(poor) : mappedSensors.every(poor)
    const table = this.table(signed, grey)
    const image = new ImageData(256, 1)
    for (let k = 0; k < 256; k++) {
      image.data.set([table[3 * k], table[3 * k + 1], table[3 * k + 2], 255], 4 * k)
    }
    this.ramp.getContext("2d").putImageData(image, 0, 0)
    this.scale.hidden = !mapped
    const most = `${this.strength >= 100 ? this.strength.toFixed(0) : this.strength.toPrecision(2)}${data.unit ? ` ${data.unit}` : ""}`
    if (apart) {
      this.low.textContent = `more in ${this.sensors[1].title}`
      this.high.textContent = `more in ${this.sensors[0].title}, ${most}`
    } else {
      this.low.textContent = data.signed ? "against" : "no evidence"
      this.high.textContent = data.signed ? `for, ${most} at most` : `${most}, the strongest`
    }
  }

  choose(part) {
    this.view = { ...this.view, ...part }
    this.draw()
    clearTimeout(this.waiting)
    this.waiting = setTimeout(
      () => {
        this.waiting = null
        this.tell(this.view)
      },
      "map" in part ? 0 : QUIET,
    )
  }

  close() {
    for (const pane of this.panes) pane.observer.disconnect()
    clearTimeout(this.waiting)
  }
}

const viewers = new WeakMap()

export default function (component) {
  const { parentElement } = component
  if (!viewers.has(parentElement)) viewers.set(parentElement, new Viewer(parentElement))
  const viewer = viewers.get(parentElement)
  viewer.update(component)
  return () => {
    viewer.close()
    viewers.delete(parentElement)
  }
}
