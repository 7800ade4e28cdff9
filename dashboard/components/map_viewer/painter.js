// Points onto the canvas: each as a glyph where few are in view, else their counts and mean colour in every pixel, so that no
// colour hides another and a crowd is seen as one.

const MOST_GLYPHS = 20000
const PALE = [128, 132, 130]
const GLYPH = 7 // pixels across; where many are in view, smaller
const MANY = 2500

function channels(colour) {
  const number = parseInt(colour.slice(1, 7), 16)
  return [number >> 16, (number >> 8) & 255, number & 255]
}

class Painter {
  constructor(canvas) {
    this.canvas = canvas
    this.context = canvas.getContext("2d", { willReadFrequently: false })
    this.stamps = new Map()
  }

  // scene: places {x, y, sensor}, code, kept, active, emphasised, palette, symbols; ratio: device pixels for one of the camera's.
  paint(scene, camera, ratio) {
    const { canvas, context } = this
    const width = Math.max(1, Math.round(camera.width * ratio))
    const height = Math.max(1, Math.round(camera.height * ratio))
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height })
    else context.clearRect(0, 0, width, height)
    const rows = this.inView(scene, camera)
    if (rows.length <= MOST_GLYPHS) this.glyphs(scene, camera, ratio, rows)
    else this.crowd(scene, camera, ratio, rows.length)
    return rows.length
  }

  // Rows in view; where they are too many for glyphs, only how many they are.
  inView(scene, camera) {
    const { x, y } = scene.places
    const { x0, x1, y0, y1 } = camera.view
    const room = GLYPH / camera.scale
    const [left, right, bottom, top] = [x0 - room, x1 + room, y0 - room, y1 + room]
    const rows = []
    let count = 0
    for (let k = 0; k < x.length; k += 1) {
      if (!(x[k] >= left && x[k] <= right && y[k] >= bottom && y[k] <= top)) continue
      count += 1
      if (count <= MOST_GLYPHS) rows.push(k)
    }
    return count <= MOST_GLYPHS ? rows : { length: count }
  }

  glyphs(scene, camera, ratio, rows) {
    const { places, code, palette, symbols } = scene
    this.size(Math.round(2 * GLYPH * Math.min(1, (MANY / rows.length) ** 0.25)) / 2)
    const strong = []
    for (const k of shuffled(rows)) {
      if (isPale(scene, k)) this.stamp(places, k, "pale", symbols, camera, ratio)
      else strong.push(k)
    }
    for (const k of strong) this.stamp(places, k, palette[code[k]] ?? "#888888", symbols, camera, ratio)
  }

  size(across) {
    if (across !== this.across) this.stamps.clear()
    this.across = across
  }

  stamp({ x, y, sensor }, k, colour, symbols, camera, ratio) {
    const stamp = this.glyph(colour, symbols ? sensor[k] : 0, ratio)
    const half = stamp.width / 2
    this.context.drawImage(stamp, Math.round(camera.across(x[k]) * ratio - half), Math.round(camera.down(y[k]) * ratio - half))
  }

  glyph(colour, sensor, ratio) {
    const name = `${colour}/${sensor}/${ratio}`
    if (!this.stamps.has(name)) {
      const side = Math.ceil((this.across + 3) * ratio)
      const stamp = make("canvas", { width: side, height: side })
      const context = stamp.getContext("2d")
      const pale = colour === "pale"
      context.globalAlpha = pale ? 0.28 : 0.85
      context.fillStyle = pale ? `rgb(${PALE})` : colour
      context.beginPath()
      outline(context, sensor, side / 2, ((pale ? 0.8 : 1) * this.across * ratio) / 2)
      context.fill()
      this.stamps.set(name, stamp)
    }
    return this.stamps.get(name)
  }

  crowd(scene, camera, ratio, inView) {
    const { places, code, palette } = scene
    const { x, y } = places
    const { width, height } = this.canvas
    const { kept, active, emphasised } = scene
    const { strong, pale } = this.cleared(width * height)
    const table = new Uint32Array(256 * 3)
    palette.forEach((colour, number) => table.set(channels(colour), 3 * number))
    const scale = camera.scale * ratio
    const [left, top] = [width / 2 - camera.x * scale, height / 2 + camera.y * scale]
    const side = inView < 250000 ? 2 : 1 // pixels of a point
    const [lastAcross, lastDown] = [width - side, height - side]
    for (let k = 0; k < x.length; k += 1) {
      const across = (left + x[k] * scale) | 0
      const down = (top - y[k] * scale) | 0
      if (!(across > 0 && down > 0 && across <= lastAcross && down <= lastDown)) continue // also where a coordinate is none
      const isFaint = (kept && kept[k] === 0) || (active && active[k] === 0) || (emphasised !== null && code[k] !== emphasised)
      const shade = 3 * code[k]
      for (let row = 0; row < side; row += 1) {
        for (let column = 0; column < side; column += 1) {
          const at = (down + row) * width + across + column
          if (isFaint) pale[at] += 1
          else {
            strong[4 * at] += 1
            strong[4 * at + 1] += table[shade]
            strong[4 * at + 2] += table[shade + 1]
            strong[4 * at + 3] += table[shade + 2]
          }
        }
      }
    }
    this.context.putImageData(toned(this.sums, width, height), 0, 0)
  }

  // Of each pixel: count, red, green and blue of the points that are seen, side by side, and the count of the pale ones.
  cleared(size) {
    if (this.sums?.pale.length !== size) this.sums = { strong: new Uint32Array(4 * size), pale: new Uint32Array(size) }
    else Object.values(this.sums).forEach((array) => array.fill(0))
    return this.sums
  }
}

// Opacity of a pixel by its count, up to the fullest pixel's: by its logarithm, so that lone points are seen beside a crowd.
function opacities(fullest, least, most) {
  const whole = Math.log1p(fullest) - Math.log(2)
  const share = (count) => (whole > 0 ? (Math.log1p(count) - Math.log(2)) / whole : 1)
  return Uint8ClampedArray.from({ length: fullest + 1 }, (_, count) => (count ? least + (most - least) * share(count) : 0))
}

const FULLEST = 4095 // pixels with more are as opaque

function toned({ strong, pale }, width, height) {
  const image = new ImageData(width, height)
  const pixels = new Uint32Array(image.data.buffer)
  let [full, fullPale] = [1, 1]
  for (let at = 0, from = 0; at < pixels.length; at += 1, from += 4) {
    if (strong[from] > full) full = strong[from]
    if (pale[at] > fullPale) fullPale = pale[at]
  }
  full = Math.min(full, FULLEST)
  fullPale = Math.min(fullPale, FULLEST)
  const seen = opacities(full, 115, 255)
  const faint = opacities(fullPale, 38, 95)
  const grey = (PALE[2] << 16) | (PALE[1] << 8) | PALE[0]
  for (let at = 0, from = 0; at < pixels.length; at += 1, from += 4) {
    const points = strong[from]
    if (points) {
      const red = (strong[from + 1] / points) | 0
      const green = (strong[from + 2] / points) | 0
      const blue = (strong[from + 3] / points) | 0
      pixels[at] = (seen[points < full ? points : full] << 24) | (blue << 16) | (green << 8) | red
    } else if (pale[at]) pixels[at] = (faint[pale[at] < fullPale ? pale[at] : fullPale] << 24) | grey
  }
  return image
}

// A circle for the first sensor, then a triangle, a square, a diamond.
function outline(context, sensor, middle, radius) {
  const corners = [0, 3, 4, 4][sensor % 4]
  if (!corners) return context.arc(middle, middle, radius, 0, 2 * Math.PI)
  const start = sensor % 4 === 2 ? Math.PI / 4 : -Math.PI / 2
  for (let k = 0; k < corners; k += 1) {
    const angle = start + (2 * Math.PI * k) / corners
    context.lineTo(middle + 1.2 * radius * Math.cos(angle), middle + 1.2 * radius * Math.sin(angle))
  }
  context.closePath()
}

function isPale({ kept, active, code, emphasised }, k) {
  return (kept && kept[k] === 0) || (active && active[k] === 0) || (emphasised !== null && code[k] !== emphasised)
}

// The same order at every frame, in which the images of one class or sensor do not follow each other.
function shuffled(rows) {
  const count = rows.length
  let stride = Math.max(1, Math.round(count * 0.618))
  while (gcd(stride, count) > 1) stride += 1
  const found = new Array(count)
  for (let k = 0, at = 0; k < count; k += 1, at = (at + stride) % count) found[k] = rows[at]
  return found
}

function gcd(a, b) {
  return b ? gcd(b, a % b) : a
}
