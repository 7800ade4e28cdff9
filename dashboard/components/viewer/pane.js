// One picture with what lies over it. All panes share one window on their pictures, so they zoom and move together.

const MOST_ZOOM = 16
const STEP = 0.1

class SharedWindow {
  constructor() {
    this.panes = []
    this.reset()
  }

  reset() {
    Object.assign(this, { zoom: 1, left: 0, top: 0 })
    this.moved()
  }

  // Zoom in about a place given as shares of what is seen.
  zoomBy(factor, x = 0.5, y = 0.5) {
    const zoom = Math.min(Math.max(this.zoom * factor, 1), MOST_ZOOM)
    const [across, down] = [this.left + x / this.zoom, this.top + y / this.zoom]
    this.zoom = zoom
    this.moveTo(across - x / zoom, down - y / zoom)
  }

  moveTo(left, top) {
    const most = 1 - 1 / this.zoom
    this.left = Math.min(Math.max(left, 0), most)
    this.top = Math.min(Math.max(top, 0), most)
    this.moved()
  }

  moveBy(across, down) {
    this.moveTo(this.left + across / this.zoom, this.top + down / this.zoom)
  }

  moved() {
    for (const pane of this.panes) pane.draw()
  }
}

class Pane {
  constructor(shared) {
    this.window = shared
    shared.panes.push(this)
    this.layers = []
    this.aspect = 0.8
    this.divider = null
    this.figure = make("figure")
    this.stage = make("div", { className: "stage" })
    this.canvas = make("canvas", { tabIndex: 0 })
    this.canvas.setAttribute("role", "img")
    this.canvas.setAttribute("aria-keyshortcuts", "+ - 0 ArrowLeft ArrowRight ArrowUp ArrowDown")
    this.caption = make("figcaption")
    this.empty = make("p", { className: "empty", hidden: true })
    this.badges = [new Badge(), new Badge()]
    this.stage.append(this.canvas)
    this.figure.append(this.stage, this.empty, this.caption, ...this.badges.map((badge) => badge.root))
    this.listen()
    this.observer = new ResizeObserver(() => this.draw())
    this.observer.observe(this.stage)
  }

  // layers: pictures from below to above, each {picture, right, down, after}: moved by shares of the picture, and
  // drawn to the right of the divider alone where after is true.
  show(layers, aspect, label) {
    this.layers = layers
    this.aspect = aspect
    this.canvas.setAttribute("aria-label", label)
    this.draw()
  }

  // badges: of the maps that are drawn here, one or two.
  believe(...badges) {
    this.badges.forEach((badge, k) => badge.show(badges[k] ?? null))
  }

  draw() {
    const across = this.stage.clientWidth
    if (!across || this.stage.hidden) return
    const density = window.devicePixelRatio || 1
    const width = Math.round(across * density)
    const height = Math.round(across * this.aspect * density)
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width
      this.canvas.height = height
    }
    const { zoom, left, top } = this.window
    const context = this.canvas.getContext("2d")
    context.setTransform(1, 0, 0, 1, 0, 0)
    context.clearRect(0, 0, width, height)
    context.imageSmoothingQuality = "high"
    for (const { picture, right = 0, down = 0, after = false } of this.layers) {
      context.save()
      if (after && this.divider) {
        context.beginPath()
        context.rect(this.divider.share * width, 0, width, height)
        context.clip()
      }
      context.drawImage(picture, (right - left) * zoom * width, (down - top) * zoom * height, zoom * width, zoom * height)
      context.restore()
    }
    this.canvas.classList.toggle("zoomed", zoom > 1)
    this.canvas.dataset.zoom = zoom.toFixed(3)
    this.canvas.dataset.left = left.toFixed(4)
    this.canvas.dataset.top = top.toFixed(4)
  }

  listen() {
    const { canvas } = this
    const place = (event) => {
      const box = canvas.getBoundingClientRect()
      return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height]
    }
    canvas.onwheel = (event) => {
      // Without a click on the picture first, the wheel belongs to the page.
      if (!event.ctrlKey && !event.metaKey && canvas.getRootNode().activeElement !== canvas) return
      event.preventDefault()
      this.window.zoomBy(Math.exp(-event.deltaY / 300), ...place(event))
    }
    canvas.ondblclick = () => this.window.reset()
    const fingers = new Map()
    canvas.onpointerdown = (event) => {
      canvas.focus()
      canvas.setPointerCapture(event.pointerId)
      fingers.set(event.pointerId, place(event))
    }
    canvas.onpointermove = (event) => {
      const before = fingers.get(event.pointerId)
      if (!before) return
      const now = place(event)
      if (fingers.size === 2) {
        const other = [...fingers].find(([finger]) => finger !== event.pointerId)[1]
        const apart = (one) => Math.max(Math.hypot(one[0] - other[0], one[1] - other[1]), 0.01)
        this.window.zoomBy(apart(now) / apart(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2)
      } else {
        this.window.moveBy(before[0] - now[0], before[1] - now[1])
      }
      fingers.set(event.pointerId, now)
    }
    canvas.onpointerup = canvas.onpointercancel = (event) => fingers.delete(event.pointerId)
    const keys = {
      "+": () => this.window.zoomBy(1.25),
      "=": () => this.window.zoomBy(1.25),
      "-": () => this.window.zoomBy(0.8),
      0: () => this.window.reset(),
      ArrowLeft: () => this.window.moveBy(-STEP, 0),
      ArrowRight: () => this.window.moveBy(STEP, 0),
      ArrowUp: () => this.window.moveBy(0, -STEP),
      ArrowDown: () => this.window.moveBy(0, STEP),
    }
    canvas.onkeydown = (event) => {
      const move = keys[event.key]
      if (!move || event.ctrlKey || event.metaKey || event.altKey) return
      if (event.key.startsWith("Arrow") && this.window.zoom === 1) return // nothing to move: the page may scroll
      event.preventDefault()
      event.stopPropagation()
      move()
    }
  }
}

// The line between two pictures that lie over each other; moved by mouse, finger or keys.
class Divider {
  constructor(pane) {
    this.share = 0.5
    this.pane = pane
    this.root = make("div", { className: "divider", tabIndex: 0 })
    this.root.setAttribute("role", "slider")
    this.root.setAttribute("aria-valuemin", "0")
    this.root.setAttribute("aria-valuemax", "100")
    pane.stage.append(this.root)
    this.root.onpointerdown = (event) => {
      event.preventDefault()
      this.root.focus()
      this.root.setPointerCapture(event.pointerId)
    }
    this.root.onpointermove = (event) => {
      if (!this.root.hasPointerCapture(event.pointerId)) return
      const box = pane.stage.getBoundingClientRect()
      this.moveTo((event.clientX - box.left) / box.width)
    }
    const keys = { ArrowLeft: -0.05, ArrowDown: -0.05, ArrowRight: 0.05, ArrowUp: 0.05, Home: -1, End: 1 }
    this.root.onkeydown = (event) => {
      if (!(event.key in keys)) return
      event.preventDefault()
      event.stopPropagation()
      this.moveTo(this.share + keys[event.key])
    }
    this.moveTo(0.5)
  }

  label(text) {
    this.root.setAttribute("aria-label", text)
  }

  moveTo(share) {
    this.share = Math.min(Math.max(share, 0), 1)
    this.root.style.left = `${100 * this.share}%`
    this.root.setAttribute("aria-valuenow", String(Math.round(100 * this.share)))
    this.pane.draw()
  }
}
