// Arrays that the server sent, kept under their names for the maps that draw them. A carrier draws nothing.

const shared = (window.__riceSslMapArrays ??= { arrays: new Map(), holders: new Map(), listeners: new Set() })
const carried = new WeakMap() // element of a carrier -> name of what it holds

function hold(name, table) {
  shared.holders.set(name, (shared.holders.get(name) ?? 0) + 1)
  if (shared.arrays.has(name)) return
  const columns = {}
  for (const field of table.schema.fields) columns[field.name] = table.getChild(field.name).toArray()
  shared.arrays.set(name, columns)
  for (const listener of shared.listeners) listener(name)
}

function release(name) {
  const left = (shared.holders.get(name) ?? 0) - 1
  if (left > 0) return shared.holders.set(name, left)
  shared.holders.delete(name)
  shared.arrays.delete(name)
}

export default function ({ data, parentElement }) {
  const before = carried.get(parentElement)
  if (before !== data.name) {
    carried.set(parentElement, data.name)
    hold(data.name, data.table)
    if (before !== undefined) release(before)
  }
  return () => {
    if (carried.has(parentElement)) release(carried.get(parentElement))
    carried.delete(parentElement)
  }
}
