// Two sensors in one picture: one beside the other at a divider, or one map less the other.

function drawSwipe(viewer, grids) {
  const [first, second] = viewer.sensors
  const pane = viewer.panes[0]
  const { right, down } = viewer.data.registration ?? { right: 0, down: 0 }
  const layers = [{ picture: first.picture }]
  if (grids[0]) layers.push({ picture: viewer.heat(first, grids[0]) })
  layers.push({ picture: backdrop(second.picture), after: true })
  layers.push({ picture: second.picture, right, down, after: true })
  if (grids[1]) layers.push({ picture: viewer.heat(second, grids[1]), right, down, after: true })
  pane.stage.hidden = false
  pane.empty.hidden = true
  pane.believe(...viewer.namedBadges(grids))
  const label = `${viewer.said(first, grids[0])}, left of the divider; ${viewer.said(second, grids[1])}, right of it`
  pane.caption.textContent = label
  viewer.divider.label(`Divider between ${first.title} and ${second.title}`)
  pane.show(layers, first.picture.height / first.picture.width, `${label}; of ${viewer.data.pair}`)
  viewer.addNote(
    viewer.data.registration
      ? `The pictures are registered: ${second.title} is moved by ${viewer.data.moved}.`
      : "The two pictures are not registered, so the two sides of the divider need not show the same place of the leaf.",
  )
}

// Hides the first picture where the second, moved, does not reach.
function backdrop({ width, height }) {
  const canvas = make("canvas", { width, height })
  const context = canvas.getContext("2d")
  context.fillStyle = "#808080"
  context.fillRect(0, 0, width, height)
  return canvas
}

function drawDifference(viewer) {
  const [first, second] = viewer.sensors
  const number = viewer.sharedClass()
  const maps = [viewer.gridOf(first, number), viewer.gridOf(second, number)]
  viewer.strength = strongest(maps.filter(Boolean))
  addSharedClass(viewer, number)
  if (!viewer.data.registration || !maps[0] || !maps[1]) return drawBare(viewer, maps, number)
  const pane = viewer.panes[0]
  const { width, height } = first.picture
  const { right, down } = viewer.data.registration
  const a = resized(maps[0], width, height)
  const b = resized(maps[1], width, height, right, down)
  const values = a.map((value, k) => value - b[k])
  viewer.strength = strongest(maps) * (viewer.data.signed ? 2 : 1)
  const poor = [first, second].some((sensor) => viewer.isGrey(sensor, number))
  const look = { scale: viewer.strength, table: viewer.table(true, poor), signed: true, opacity: viewer.view.opacity }
  const layers = [{ picture: first.picture }, { picture: coloured(values, width, height, look) }]
  const label = `${first.title} less ${second.title}, ${viewer.explained(number)}`
  pane.stage.hidden = false
  pane.empty.hidden = true
  pane.believe(...viewer.namedBadges(maps, number))
  pane.caption.textContent = `${label}, on the ${first.title} image`
  pane.show(layers, height / width, `${label}; of ${viewer.data.pair}`)
  viewer.addNote(`The pictures are registered: ${second.title}'s map is moved by ${viewer.data.moved}.`)
}

function drawBare(viewer, maps, number) {
  viewer.sensors.forEach((sensor, k) => {
    const pane = viewer.panes[k]
    pane.stage.hidden = !maps[k]
    pane.empty.hidden = Boolean(maps[k])
    pane.empty.textContent = sensor.missing
    pane.believe(maps[k] ? viewer.badgeOf(sensor, number) : null)
    const label = `${sensor.title}, ${viewer.explained(number)}, the map alone`
    pane.caption.textContent = maps[k] ? label : sensor.title
    if (!maps[k]) return
    const aspect = sensor.picture ? sensor.picture.height / sensor.picture.width : 0.8
    pane.show([{ picture: viewer.heat(sensor, maps[k], { number, opaque: true }) }], aspect, `${label}; of ${viewer.data.pair}`)
  })
  viewer.addNote("No difference is drawn cell by cell, because the two pictures are not registered: the same cell need not be the same place of the leaf.")
}

// Where the sensors say two classes, which one is compared.
function addSharedClass(viewer, number) {
  const differ = viewer.sensors.slice(0, 2).some((sensor) => viewer.classOf(sensor) !== number)
  if (viewer.data.perClass && differ && number >= 0) viewer.addNote(`The sensors predict two classes; both maps are of ${viewer.data.classes[number]}.`)
}
