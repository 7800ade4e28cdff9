// What mouse, fingers and keys do: move the map, draw a shape on it, point at a point or open it.

const REST = 80 // milliseconds that the pointer rests before it points
const REACH = 12 // pixels around the pointer in which a point counts as pointed at
const STILL = 4 // pixels that a click may move
const STRIDE = 60 // pixels that an arrow key moves

class Gestures {
  constructor(view) {
    this.view = view
    this.fingers = new Map()
    this.pressed = null
    const { over } = view
    over.onpointerdown = (event) => this.press(event)
    over.onpointermove = (event) => (this.pressed ? this.drag(event) : this.rest(event))
    over.onpointerup = (event) => this.lift(event)
    over.onpointercancel = () => this.drop()
    over.onpointerleave = () => {
      if (!this.pressed) this.leave()
    }
    over.ondblclick = () => view.moved((camera) => camera.fit())
    over.onkeydown = (event) => this.key(event)
    over.addEventListener("wheel", (event) => this.wheel(event), { passive: false })
  }

  at(event) {
    const box = this.view.over.getBoundingClientRect()
    return [event.clientX - box.left, event.clientY - box.top]
  }

  wheel(event) {
    event.preventDefault()
    const at = this.at(event)
    const pace = event.ctrlKey ? 0.008 : 0.002 // two fingers on a touchpad arrive as small steps with ctrl
    const turned = Math.max(-240, Math.min(240, event.deltaY)) * pace
    this.view.moved((camera) => camera.zoom(Math.exp(-turned), ...at))
  }

  press(event) {
    const { view } = this
    if (!view.places || event.button > 0) return
    const at = this.at(event)
    this.fingers.set(event.pointerId, at)
    try {
      view.over.setPointerCapture(event.pointerId)
    } catch {} // a pointer that is gone already
    this.leave()
    if (this.fingers.size > 1) {
      view.drawing = null
      this.pressed = { pinch: true }
    } else this.pressed = { start: at, last: at, far: false, path: [view.camera.place(...at)] }
  }

  drag(event) {
    const { pressed, view } = this
    const at = this.at(event)
    if (!this.fingers.has(event.pointerId)) return
    if (pressed.pinch) return this.pinch(event, at)
    this.fingers.set(event.pointerId, at)
    const apart = ([across, down]) => Math.hypot(at[0] - across, at[1] - down)
    pressed.far ||= apart(pressed.start) > STILL
    if (!pressed.far) return
    if (view.tool === "pan") view.moved((camera) => camera.pan(at[0] - pressed.last[0], at[1] - pressed.last[1]))
    else {
      if (view.tool === "lasso" && apart(pressed.last) < 3) return
      pressed.path.push(view.camera.place(...at))
      const { path } = pressed
      view.sketch({ kind: view.tool, vertices: view.tool === "box" ? [path[0], path.at(-1)] : path, open: view.tool === "lasso" })
    }
    pressed.last = at
  }

  pinch(event, at) {
    const before = [...this.fingers.values()]
    this.fingers.set(event.pointerId, at)
    const now = [...this.fingers.values()]
    if (now.length !== 2) return
    const span = ([[ax, ay], [bx, by]]) => Math.hypot(ax - bx, ay - by) || 1
    const middle = ([[ax, ay], [bx, by]]) => [(ax + bx) / 2, (ay + by) / 2]
    const [from, to] = [middle(before), middle(now)]
    this.view.moved((camera) => {
      camera.pan(to[0] - from[0], to[1] - from[1])
      camera.zoom(span(now) / span(before), ...to)
    })
  }

  lift(event) {
    const { pressed, view } = this
    this.fingers.delete(event.pointerId)
    if (!pressed) return
    if (pressed.pinch) {
      if (!this.fingers.size) this.pressed = null
      return
    }
    this.pressed = null
    view.drawing = null
    if (!pressed.far) return this.click(event)
    if (view.tool === "pan") return
    pressed.path.push(view.camera.place(...this.at(event)))
    const shape = onGrid(view.tool, pressed.path, view.camera.extent)
    if (shape.grid.length >= (shape.kind === "box" ? 2 : 3)) view.choose(shape)
    else view.redraw()
  }

  drop() {
    this.fingers.clear()
    this.pressed = this.view.drawing = null
    this.view.redraw()
  }

  // Row of what is under the pointer: an image where images are points, else the nearest point; -1 where nothing is.
  find(event) {
    const { view } = this
    const { camera, places } = view
    const [across, down] = this.at(event)
    const { sheet } = view.scene
    const half = sheet ? sheet.tile / 2 + 3 : 0
    const covers = (row) =>
      Math.abs(camera.across(places.x[row]) - across) <= half && Math.abs(camera.down(places.y[row]) - down) <= half
    const image = sheet?.rows.findLast(covers)
    if (image !== undefined) return image
    view.nearest ??= new Nearest(places, camera.extent)
    return view.nearest.find(...camera.place(across, down), REACH / camera.scale, view.kept)
  }

  click(event) {
    const row = this.find(event)
    if (row >= 0) this.view.trigger("opened", row)
  }

  rest(event) {
    if (!this.view.places || event.pointerType === "touch") return
    clearTimeout(this.resting)
    this.resting = setTimeout(() => this.view.point(this.find(event)), REST)
  }

  leave() {
    clearTimeout(this.resting)
    this.view.leave()
  }

  key(event) {
    const { view } = this
    const moves = {
      ArrowLeft: (camera) => camera.pan(STRIDE, 0),
      ArrowRight: (camera) => camera.pan(-STRIDE, 0),
      ArrowUp: (camera) => camera.pan(0, STRIDE),
      ArrowDown: (camera) => camera.pan(0, -STRIDE),
      "+": (camera) => camera.zoom(1.4),
      "=": (camera) => camera.zoom(1.4),
      "-": (camera) => camera.zoom(0.7),
      0: (camera) => camera.fit(),
    }
    if (event.ctrlKey || event.metaKey || event.altKey || !view.places) return
    if (event.key === "Escape") {
      if (this.pressed) this.drop()
      else if (view.shape) view.choose(null)
    } else if (event.key === "Enter") {
      const { x0, x1, y0, y1 } = view.camera.view
      const corners = [[x0, y0], [x1, y1]] // prettier-ignore
      view.choose(onGrid("box", corners, view.camera.extent))
    } else if (moves[event.key]) {
      event.preventDefault()
      view.moved(moves[event.key])
    }
  }

  close() {
    clearTimeout(this.resting)
  }
}

// A shape on the grid that the link notes it on, so that what is seen as selected is what the link selects.
function onGrid(kind, path, extent) {
  let grid = (kind === "box" ? [path[0], path.at(-1)] : path).map((place) => extent.steps(place))
  grid = grid.filter(([across, up], k) => k === 0 || across !== grid[k - 1][0] || up !== grid[k - 1][1])
  if (kind === "lasso") grid = simplified(grid)
  return { kind, grid, vertices: grid.map((vertex) => extent.place(vertex)) }
}
