// Boxes and lassos, and which points lie in them: a point on an edge or a corner does. Every sum is done as the server does it
// (rice_ssl/embeddings/polygon.py), so that what is shown as selected is what is selected.

const MOST_VERTICES = 64

// Drop the vertices that matter least (Visvalingam) until so many are left.
function simplified(vertices, most = MOST_VERTICES) {
  const kept = vertices.slice()
  const area = (k) => {
    const [a, b, c] = [kept.at(k - 1), kept[k], kept[(k + 1) % kept.length]]
    return Math.abs((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))
  }
  const areas = kept.map((_, k) => area(k))
  while (kept.length > most) {
    let least = 0
    for (let k = 1; k < kept.length; k += 1) if (areas[k] < areas[least]) least = k
    kept.splice(least, 1)
    areas.splice(least, 1)
    for (const k of [(least + kept.length - 1) % kept.length, least % kept.length]) areas[k] = area(k)
  }
  return kept
}

function bounds(vertices) {
  let [left, right, bottom, top] = [Infinity, -Infinity, Infinity, -Infinity]
  for (const [x, y] of vertices) {
    left = Math.min(left, x)
    right = Math.max(right, x)
    bottom = Math.min(bottom, y)
    top = Math.max(top, y)
  }
  return { left, right, bottom, top }
}

// A polygon, closed by itself; even-odd rule. Its edges are sorted into bands by height, so that a point looks at those of its
// own height alone. A greater y is never in a lower band, whatever is rounded: no edge that matters to a point is missed.
const BANDS = 1024

class Polygon {
  constructor(vertices, { bottom, top }) {
    const perUnit = BANDS / (top - bottom)
    this.bottom = bottom
    this.perUnit = Number.isFinite(perUnit) ? perUnit : 0
    const count = vertices.length
    const edges = vertices.map((vertex, k) => [...vertex, ...vertices[(k + 1) % count]])
    const spans = edges.map(([, y1, , y2]) => [this.band(Math.min(y1, y2)), this.band(Math.max(y1, y2))])
    this.starts = new Int32Array(BANDS + 1)
    for (const [first, last] of spans) for (let band = first; band <= last; band += 1) this.starts[band + 1] += 4
    for (let band = 0; band < BANDS; band += 1) this.starts[band + 1] += this.starts[band]
    this.edges = new Float64Array(this.starts[BANDS])
    const next = this.starts.slice()
    spans.forEach(([first, last], k) => {
      for (let band = first; band <= last; band += 1, next[band - 1] += 4) this.edges.set(edges[k], next[band])
    })
  }

  band(y) {
    return Math.min(BANDS - 1, ((y - this.bottom) * this.perUnit) | 0)
  }

  // Whether a place between the least and the greatest y is inside.
  has(px, py) {
    const { edges, starts } = this
    const band = this.band(py)
    let odd = false
    for (let at = starts[band], end = starts[band + 1]; at < end; at += 4) {
      const x1 = edges[at]
      const y1 = edges[at + 1]
      const x2 = edges[at + 2]
      const y2 = edges[at + 3]
      const above1 = y1 > py
      const above2 = y2 > py
      if (above1 === above2 && y1 !== py && y2 !== py) continue // neither crossed nor touched
      const cross = (x2 - x1) * (py - y1) - (y2 - y1) * (px - x1)
      if (cross === 0 && px >= Math.min(x1, x2) && px <= Math.max(x1, x2) && py >= Math.min(y1, y2) && py <= Math.max(y1, y2)) {
        return true
      }
      if (above1 !== above2 && (y2 > y1 ? cross > 0 : cross < 0)) odd = !odd
    }
    return odd
  }
}

// Which points are selected, 1 or 0 for each, and how many.
function inside(shape, places, kept) {
  const { x, y } = places
  const mask = new Uint8Array(x.length)
  const around = bounds(shape.vertices)
  const { left, right, bottom, top } = around
  const polygon = shape.kind === "box" ? null : new Polygon(shape.vertices, around)
  let count = 0
  for (let k = 0; k < x.length; k += 1) {
    const px = x[k]
    const py = y[k]
    if (!(px >= left && px <= right && py >= bottom && py <= top) || (kept && kept[k] === 0)) continue
    if (polygon === null || polygon.has(px, py)) {
      mask[k] = 1
      count += 1
    }
  }
  return { mask, count }
}
