// Which part of the map is in view: one scale for both directions, so that shapes are not distorted.

const MARGIN = 0.04
const CLOSEST = 5e4 // times the whole map

class Camera {
  constructor() {
    this.width = this.height = 1
    this.set(new Extent())
  }

  // The extent of another map: all of it is shown.
  set(extent) {
    this.extent = extent
    this.fit()
  }

  resize(width, height) {
    const whole = this.isWhole
    this.width = Math.max(1, width)
    this.height = Math.max(1, height)
    if (whole) this.fit()
  }

  get whole() {
    const { left, right, bottom, top } = this.extent
    const across = right > left ? right - left : 1
    const up = top > bottom ? top - bottom : 1
    return Math.min(this.width / across, this.height / up) * (1 - 2 * MARGIN)
  }

  fit() {
    this.scale = this.whole
    this.x = (this.extent.left + this.extent.right) / 2
    this.y = (this.extent.bottom + this.extent.top) / 2
    this.isWhole = true
  }

  // Pixels of a place, and the place of pixels.
  across(x) {
    return (x - this.x) * this.scale + this.width / 2
  }

  down(y) {
    return (this.y - y) * this.scale + this.height / 2
  }

  place(across, down) {
    return [this.x + (across - this.width / 2) / this.scale, this.y - (down - this.height / 2) / this.scale]
  }

  pan(across, down) {
    this.x -= across / this.scale
    this.y += down / this.scale
    this.isWhole = false
  }

  // Zoom so that the place under these pixels stays there.
  zoom(factor, across = this.width / 2, down = this.height / 2) {
    const [x, y] = this.place(across, down)
    this.scale = Math.min(CLOSEST * this.whole, Math.max(this.whole / 4, this.scale * factor))
    this.x = x - (across - this.width / 2) / this.scale
    this.y = y + (down - this.height / 2) / this.scale
    this.isWhole = false
  }

  get view() {
    const [x0, y1] = this.place(0, 0)
    const [x1, y0] = this.place(this.width, this.height)
    return { x0, x1, y0, y1, width: Math.round(this.width), height: Math.round(this.height) }
  }
}

// Least and greatest coordinates of the points, and the grid of 65,536 steps between them that shapes are noted on.
const STEPS = 65535

class Extent {
  constructor(x = [], y = []) {
    let [left, right, bottom, top] = [Infinity, -Infinity, Infinity, -Infinity]
    for (let k = 0; k < x.length; k += 1) {
      const [a, b] = [x[k], y[k]]
      if (!(Number.isFinite(a) && Number.isFinite(b))) continue
      if (a < left) left = a
      if (a > right) right = a
      if (b < bottom) bottom = b
      if (b > top) top = b
    }
    Object.assign(this, left <= right ? { left, right, bottom, top } : { left: 0, right: 1, bottom: 0, top: 1 })
  }

  // Steps on the grid of a place, and the coordinates of steps: precisely as the server computes them.
  steps([x, y]) {
    return [step(x, this.left, this.right), step(y, this.bottom, this.top)]
  }

  place([across, up]) {
    return [this.left + (across * (this.right - this.left)) / STEPS, this.bottom + (up * (this.top - this.bottom)) / STEPS]
  }
}

function step(value, low, high) {
  const share = high > low ? (value - low) / (high - low) : 0
  return Math.max(0, Math.min(STEPS, Math.round(share * STEPS)))
}
