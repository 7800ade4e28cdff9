// The map: what the server sends is drawn; pan, zoom, box and lasso are answered here, and the server is told afterwards.

const shared = (window.__riceSslMapArrays ??= { arrays: new Map(), holders: new Map(), listeners: new Set() })
const QUIET = 150 // milliseconds without a change of the view before the server is told of it

class MapView {
  constructor(parent) {
    this.root = parent.querySelector(".map-view")
    this.camera = new Camera()
    this.shape = null
    this.unanswered = [] // shapes that the server was told of and has not answered yet
    this.drawing = null
    this.emphasised = null
    this.sheet = null
    this.pointed = -1
    this.drawn = 0
    this.points = make("canvas")
    this.over = make("canvas", { className: "over", tabIndex: 0 })
    this.over.setAttribute("role", "application")
    this.painter = new Painter(this.points)
    this.overlay = new Overlay(this.over)
    this.tooltip = new Tooltip()
    this.toolbar = new Toolbar({
      tool: (tool) => this.use(tool),
      zoom: (factor) => this.moved((camera) => camera.zoom(factor)),
      fit: () => this.moved((camera) => camera.fit()),
      clear: () => this.choose(null),
    })
    this.legend = new Legend((code) => {
      this.emphasised = code
      this.legend.show(this.data, code)
      this.redraw()
    })
    this.note = make("p", { className: "note", hidden: true })
    this.stage = make("div", { className: "stage" }, this.points, this.over, this.tooltip.root, this.note)
    this.root.replaceChildren(this.toolbar.root, this.stage, this.legend.root)
    this.gestures = new Gestures(this)
    this.arrived = () => this.take()
    shared.listeners.add(this.arrived)
    this.observer = new ResizeObserver(() => this.resize())
    this.observer.observe(this.stage)
  }

  close() {
    shared.listeners.delete(this.arrived)
    this.observer.disconnect()
    this.gestures.close()
    clearTimeout(this.telling)
    cancelAnimationFrame(this.frame)
    cancelAnimationFrame(this.overFrame)
  }

  // What the server sends.
  update({ data, setStateValue, setTriggerValue }) {
    this.setState = setStateValue
    this.trigger = setTriggerValue
    this.data = data
    this.stage.style.height = `${data.height}px`
    const keys = "Arrow keys move, plus and minus zoom, zero shows all, Enter selects what is in view, Escape clears."
    this.over.setAttribute("aria-label", `${data.label}. ${keys}`)
    if (this.tool === undefined) this.use(data.tool)
    this.hear(data.shape)
    this.take()
    this.load(data.sheet)
  }

  // The server's shape, unless it answers one that the user has drawn over since.
  hear(shape) {
    const sent = JSON.stringify(shape)
    if (sent === this.heard) return
    this.heard = sent
    const answered = this.unanswered.indexOf(sent)
    const late = answered >= 0 && answered < this.unanswered.length - 1
    this.unanswered.splice(0, answered + 1)
    if (late || sent === JSON.stringify(this.shape)) return
    this.shape = shape
    this.selection = null
  }

  // Use the arrays that are there; those that are still under way are taken when they come.
  take() {
    const { data } = this
    if (!data) return
    const names = ["places", "colours", "kept", "marked", "twins"]
    const found = Object.fromEntries(names.map((name) => [name, data[name] === null ? null : shared.arrays.get(data[name])]))
    if (names.some((name) => found[name] === undefined)) return
    if (data.places !== this.placed) {
      this.placed = data.places
      this.places = found.places
      this.camera.set(new Extent(found.places.x, found.places.y))
      this.nearest = this.sheet = this.selection = null
      this.pointed = -1
    }
    if (data.kept !== this.keeping) this.selection = null
    this.keeping = data.kept
    this.kept = found.kept?.kept
    this.code = found.colours.code
    this.marked = found.marked?.marked ?? null
    this.twins = data.lines === "none" ? null : (found.twins?.twin ?? null)
    if (!data.legend.some(([code]) => code === this.emphasised)) this.emphasised = null
    this.legend.show(data, this.emphasised)
    this.select()
    this.resize()
    this.answer()
  }

  // Images as points; those that are there stay until these can be drawn.
  load(sheet) {
    this.wanted = sheet
    if (!sheet) return void (this.sheet = null)
    if (sheet.url === this.sheet?.url) return void (this.sheet = { ...sheet, picture: this.sheet.picture })
    const picture = make("img", { src: sheet.url })
    picture.decode().then(
      () => {
        if (this.wanted !== sheet) return
        this.sheet = { ...sheet, picture }
        this.redraw()
      },
      () => {}, // a picture that cannot be shown is left out
    )
  }

  select() {
    if (!this.places || this.selection !== null) return
    this.selection = this.shape ? inside(this.shape, this.places, this.kept) : undefined
  }

  resize() {
    const { clientWidth, clientHeight } = this.stage
    if (!clientWidth || !this.places) return
    this.camera.resize(clientWidth, clientHeight)
    this.redraw()
  }

  redraw() {
    if (this.frame || !this.places) return
    this.frame = requestAnimationFrame(() => {
      this.frame = null
      this.draw()
    })
  }

  get scene() {
    return {
      places: this.places,
      code: this.code,
      kept: this.kept,
      active: this.selection?.mask ?? this.marked,
      emphasised: this.emphasised,
      palette: this.data.palette,
      symbols: this.data.symbols,
      twins: this.twins,
      lines: this.data.lines,
      sheet: this.data.images ? this.sheet : null,
      rings: this.data.rings.filter((row) => row < this.places.x.length),
      pointed: this.pointed,
      shape: this.drawing ?? this.shape,
    }
  }

  // What lies over the points is drawn alone while a shape is drawn or a point is pointed at.
  draw(points = true) {
    const { scene, camera } = this
    const ratio = Math.min(2, window.devicePixelRatio || 1)
    if (points) this.painter.paint(scene, camera, this.places.x.length > 200000 ? 1 : ratio)
    const style = getComputedStyle(this.root)
    const colours = {
      text: style.getPropertyValue("--st-text-color") || "#222",
      background: style.getPropertyValue("--st-background-color") || "#fff",
      primary: style.getPropertyValue("--st-primary-color") || "#2e7d4f",
      ring: "#D55E00",
    }
    const joined = this.overlay.paint(scene, camera, ratio, colours)
    this.note.hidden = !joined?.more
    if (joined?.more) this.note.textContent = `Lines of ${joined.drawn.toLocaleString("en")} of the pairs in view`
    this.say()
    if (points) this.drawn += 1
    Object.assign(this.root.dataset, {
      points: this.places.x.length,
      drawn: this.drawn,
      selected: this.selection?.count ?? 0,
      shape: this.shape?.kind ?? "",
      tool: this.tool,
    })
    if (points) this.look()
  }

  // Tell the server of the part that is in view, once it rests.
  look() {
    const seen = JSON.stringify(this.camera.view)
    if (!this.data.images || seen === this.seen) return
    clearTimeout(this.telling)
    this.telling = setTimeout(() => this.setState("view", this.camera.view), this.seen === undefined ? 0 : QUIET)
    this.seen = seen
  }

  say() {
    const count = this.selection?.count ?? null
    this.toolbar.show(this.tool, count, count === null ? "" : `${count.toLocaleString("en")} selected`)
  }

  use(tool) {
    this.tool = tool
    this.over.dataset.tool = tool
    if (this.places) this.draw(false)
    else this.say()
  }

  moved(change) {
    if (!this.places) return
    change(this.camera)
    this.pointed = -1
    this.tooltip.hide()
    this.redraw()
  }

  // A shape that is being drawn.
  sketch(shape) {
    this.drawing = shape
    this.overFrame ??= requestAnimationFrame(() => {
      this.overFrame = null
      if (!this.frame) this.draw(false)
    })
  }

  // Select what a shape holds; null ends the selection.
  choose(shape) {
    this.shape = shape ? { kind: shape.kind, vertices: shape.vertices } : null
    this.selection = null
    this.select()
    this.redraw()
    this.unanswered = [...this.unanswered.slice(-9), JSON.stringify(this.shape)]
    this.setState("shape", shape ? { kind: shape.kind, vertices: shape.grid } : null)
  }

  // Point at a point. The server is asked what it is, unless it has said so already.
  point(row) {
    if (row === this.pointed || row >= this.places.x.length) return
    this.pointed = row
    this.tooltip.hide()
    this.draw(false)
    if (this.data.tooltip?.row === row) this.answer()
    else this.trigger("hover", row)
  }

  leave() {
    this.tooltip.hide()
    if (this.pointed < 0) return
    this.pointed = -1
    this.draw(false)
  }

  // The server's answer about a point, if the pointer is still there.
  answer() {
    const { tooltip } = this.data
    if (!tooltip || tooltip.row !== this.pointed) return
    const { camera, places } = this
    this.tooltip.show(tooltip, camera.across(places.x[tooltip.row]), camera.down(places.y[tooltip.row]), camera.width, camera.height)
  }
}

const views = new WeakMap()

export default function (component) {
  const { parentElement } = component
  if (!views.has(parentElement)) views.set(parentElement, new MapView(parentElement))
  views.get(parentElement).update(component)
  return () => {
    views.get(parentElement)?.close()
    views.delete(parentElement)
  }
}
