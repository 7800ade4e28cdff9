// Maps as pixels: decoded, resized and coloured as rice_ssl.attribution.overlay does it in Python.

function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))
}

// 256 colours between stops: RGB triples at equal distances.
function colourTable(stops) {
  const table = new Uint8ClampedArray(256 * 3)
  for (let k = 0; k < 256; k++) {
    const where = (k / 255) * (stops.length - 1)
    const low = Math.min(Math.floor(where), stops.length - 2)
    for (let band = 0; band < 3; band++) {
      table[3 * k + band] = stops[low][band] + (where - low) * (stops[low + 1][band] - stops[low][band])
    }
  }
  return table
}

// Bilinear values of a map of h x w cells at width x height places, moved by a share of the picture to the right and
// down. Cell centres lie half a cell inside the border, as in Pillow; NaN where a moved map does not reach.
function resized(map, width, height, right = 0, down = 0) {
  const [h, w] = map.shape
  const found = new Float32Array(width * height)
  const along = (places, cells, moved) =>
    Array.from({ length: places }, (_, k) => {
      const share = (k + 0.5) / places - moved
      const where = Math.min(Math.max(share * cells - 0.5, 0), cells - 1)
      const low = Math.min(Math.floor(where), Math.max(cells - 2, 0))
      return { inside: share >= 0 && share < 1, low, high: Math.min(low + 1, cells - 1), part: where - low }
    })
  const columns = along(width, w, right)
  const rows = along(height, h, down)
  for (let y = 0; y < height; y++) {
    const row = rows[y]
    for (let x = 0; x < width; x++) {
      const column = columns[x]
      if (!row.inside || !column.inside) {
        found[y * width + x] = NaN
        continue
      }
      const at = (line) => {
        const left = map.values[line * w + column.low]
        return left + column.part * (map.values[line * w + column.high] - left)
      }
      const top = at(row.low)
      found[y * width + x] = top + row.part * (at(row.high) - top)
    }
  }
  return found
}

// A picture of values: colour and cover grow with their share of the scale; opaque where nothing lies below.
function coloured(values, width, height, { scale, table, signed, opacity, opaque = false }) {
  const image = new ImageData(width, height)
  const pixels = image.data
  for (let k = 0; k < values.length; k++) {
    if (Number.isNaN(values[k])) continue
    const share = scale > 0 ? Math.min(Math.max(values[k] / scale, signed ? -1 : 0), 1) : 0
    const entry = 3 * Math.round(255 * (signed ? (share + 1) / 2 : share))
    pixels[4 * k] = table[entry]
    pixels[4 * k + 1] = table[entry + 1]
    pixels[4 * k + 2] = table[entry + 2]
    pixels[4 * k + 3] = opaque ? 255 : 255 * opacity * Math.abs(share)
  }
  const canvas = document.createElement("canvas")
  canvas.width = width
  canvas.height = height
  canvas.getContext("2d").putImageData(image, 0, 0)
  return canvas
}

function strongest(maps) {
  return maps.reduce((most, map) => map.values.reduce((so, value) => Math.max(so, Math.abs(value)), most), 0)
}
