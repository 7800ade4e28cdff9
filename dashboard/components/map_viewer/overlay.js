// What lies over the points: lines between the images of a pair, images as points, rings, and the outline of the selection.

const MOST_LINES = 3000
const RING = 9

class Overlay {
  constructor(canvas) {
    this.canvas = canvas
    this.context = canvas.getContext("2d")
  }

  // Returns how many pairs have lines, and whether more are in view.
  paint(scene, camera, ratio, colours) {
    const { canvas, context } = this
    const [width, height] = [Math.round(camera.width * ratio), Math.round(camera.height * ratio)]
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height })
    context.setTransform(ratio, 0, 0, ratio, 0, 0)
    context.clearRect(0, 0, camera.width, camera.height)
    const joined = scene.twins ? this.lines(scene, camera, colours) : null
    if (scene.sheet) this.images(scene, camera)
    this.rings(scene, camera, colours)
    if (scene.shape) this.shape(scene.shape, camera, colours)
    return joined
  }

  lines(scene, camera, colours) {
    const { places, twins, kept, active } = scene
    const { x, y } = places
    const { x0, x1, y0, y1 } = camera.view
    const drawn = []
    let more = false
    for (const k of this.pairs(twins)) {
      const other = twins[k]
      if ((kept && (kept[k] === 0 || kept[other] === 0)) || (active && !active[k] && !active[other])) continue
      // Neither beside the view nor without a place.
      if (!(Math.max(x[k], x[other]) >= x0 && Math.min(x[k], x[other]) <= x1)) continue
      if (!(Math.max(y[k], y[other]) >= y0 && Math.min(y[k], y[other]) <= y1)) continue
      more = drawn.length === MOST_LINES
      if (more) break
      drawn.push(k)
    }
    const { context } = this
    context.strokeStyle = context.fillStyle = colours.text
    context.globalAlpha = drawn.length > 500 ? 0.22 : 0.4
    context.lineWidth = 1
    context.beginPath()
    for (const k of drawn) {
      context.moveTo(camera.across(x[k]), camera.down(y[k]))
      context.lineTo(camera.across(x[twins[k]]), camera.down(y[twins[k]]))
    }
    context.stroke()
    if (scene.lines === "arrows") for (const k of drawn) this.head(x, y, k, twins[k], camera)
    context.globalAlpha = 1
    return { drawn: drawn.length, more }
  }

  // The first image of every pair, in an order that mixes them and stays, so that a move of the map changes no line.
  pairs(twins) {
    if (this.twins !== twins) {
      this.twins = twins
      const firsts = []
      for (let k = 0; k < twins.length; k += 1) if (twins[k] > k || (twins[k] >= 0 && twins[twins[k]] !== k)) firsts.push(k)
      this.firsts = shuffled(firsts)
    }
    return this.firsts
  }

  head(x, y, from, to, camera) {
    const [ax, ay] = [camera.across(x[from]), camera.down(y[from])]
    const [bx, by] = [camera.across(x[to]), camera.down(y[to])]
    const length = Math.hypot(bx - ax, by - ay)
    if (length < 8) return
    const [ux, uy] = [(bx - ax) / length, (by - ay) / length]
    const { context } = this
    context.beginPath()
    context.moveTo(bx, by)
    context.lineTo(bx - 7 * ux + 3 * uy, by - 7 * uy - 3 * ux)
    context.lineTo(bx - 7 * ux - 3 * uy, by - 7 * uy + 3 * ux)
    context.fill()
  }

  images(scene, camera) {
    const { sheet, places } = scene
    const { context } = this
    const side = sheet.tile
    sheet.rows.forEach((row, number) => {
      const across = Math.round(camera.across(places.x[row]) - side / 2)
      const down = Math.round(camera.down(places.y[row]) - side / 2)
      if (sheet.left[number] >= 0) {
        context.drawImage(sheet.picture, sheet.left[number], sheet.top[number], side, side, across, down, side, side)
      }
      context.lineWidth = 3
      context.strokeStyle = sheet.frames[number]
      context.strokeRect(across - 1.5, down - 1.5, side + 3, side + 3)
    })
  }

  rings({ rings, places, pointed }, camera, colours) {
    const { context } = this
    const every = pointed >= 0 ? [...rings, pointed] : rings
    for (const row of every) {
      for (const [width, colour] of [
        [4, colours.background],
        [2, row === pointed ? colours.text : colours.ring],
      ]) {
        context.lineWidth = width
        context.strokeStyle = colour
        context.beginPath()
        context.arc(camera.across(places.x[row]), camera.down(places.y[row]), RING, 0, 2 * Math.PI)
        context.stroke()
      }
    }
  }

  shape({ kind, vertices, open }, camera, colours) {
    const { context } = this
    const corners = kind === "box" ? cornersOf(vertices) : vertices
    context.beginPath()
    corners.forEach(([x, y], number) => {
      context[number ? "lineTo" : "moveTo"](camera.across(x), camera.down(y))
    })
    if (!open) context.closePath()
    context.globalAlpha = 0.07
    context.fillStyle = colours.primary
    context.fill("evenodd")
    context.globalAlpha = 1
    context.setLineDash(open ? [4, 4] : [])
    context.lineWidth = 1.5
    context.strokeStyle = colours.primary
    context.stroke()
    context.setLineDash([])
  }
}

function cornersOf(vertices) {
  const { left, right, bottom, top } = bounds(vertices)
  return [
    [left, bottom],
    [right, bottom],
    [right, top],
    [left, top],
  ]
}
