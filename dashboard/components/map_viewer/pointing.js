// The point under the pointer, found through a grid that is made when it is first asked for.

const CELLS = 256

class Nearest {
  constructor(places, extent) {
    this.places = places
    this.extent = extent
    this.across = CELLS / Math.max(extent.right - extent.left, 1e-12)
    this.up = CELLS / Math.max(extent.top - extent.bottom, 1e-12)
    const { x, y } = places
    const starts = new Uint32Array(CELLS * CELLS + 1)
    const cell = new Int32Array(x.length)
    for (let k = 0; k < x.length; k += 1) {
      cell[k] = Number.isFinite(x[k]) && Number.isFinite(y[k]) ? this.cell(x[k], y[k]) : -1
      if (cell[k] >= 0) starts[cell[k] + 1] += 1
    }
    for (let k = 0; k < CELLS * CELLS; k += 1) starts[k + 1] += starts[k]
    this.rows = new Uint32Array(starts[CELLS * CELLS])
    this.starts = starts
    const next = starts.slice()
    for (let k = 0; k < x.length; k += 1) if (cell[k] >= 0) this.rows[next[cell[k]]++] = k
  }

  column(x) {
    return Math.max(0, Math.min(CELLS - 1, Math.floor((x - this.extent.left) * this.across)))
  }

  row(y) {
    return Math.max(0, Math.min(CELLS - 1, Math.floor((y - this.extent.bottom) * this.up)))
  }

  cell(x, y) {
    return this.row(y) * CELLS + this.column(x)
  }

  // Row of the kept point nearest to a place, within a radius in the map's unit; -1 where there is none.
  find(x, y, radius, kept) {
    let [found, least] = [-1, radius * radius]
    for (let row = this.row(y - radius); row <= this.row(y + radius); row += 1) {
      for (let column = this.column(x - radius); column <= this.column(x + radius); column += 1) {
        const at = row * CELLS + column
        for (let k = this.starts[at]; k < this.starts[at + 1]; k += 1) {
          const point = this.rows[k]
          if (kept && kept[point] === 0) continue
          const distance = (this.places.x[point] - x) ** 2 + (this.places.y[point] - y) ** 2
          if (distance <= least) [found, least] = [point, distance]
        }
      }
    }
    return found
  }
}
