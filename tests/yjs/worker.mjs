// The real yjs, asked by the tests over standard input: one JSON request a line, one JSON answer a line, bytes in base64.
//
// read:  apply `updates` to an empty document in their order, and say what it holds. `delta` is what a reader that has the
//        updates of `reader` lacks, `merged` the updates merged without a document.
// write: load `base`, take `client_id`, write `ops` under their keys, and say what a plain client would push.

import { createInterface } from 'node:readline'
import * as Y from 'yjs'

const bytes = (text) => new Uint8Array(Buffer.from(text, 'base64'))
const base64 = (value) => Buffer.from(value).toString('base64')

function load(updates) {
  const doc = new Y.Doc({ gc: true })
  for (const update of updates) Y.applyUpdate(doc, bytes(update))
  return doc
}

function entries(doc) {
  const found = {}
  for (const [key, value] of doc.getMap('o')) {
    if (!(value instanceof Uint8Array)) throw new Error(`${key} is no Uint8Array`)
    found[key] = base64(value)
  }
  return found
}

function read({ updates, reader }) {
  const doc = load(updates)
  return {
    ops: entries(doc),
    pending: doc.store.pendingStructs !== null,
    update: base64(Y.encodeStateAsUpdate(doc)),
    delta: base64(Y.encodeStateAsUpdate(doc, Y.encodeStateVector(load(reader)))),
    merged: base64(Y.mergeUpdates(updates.map(bytes)))
  }
}

function write({ base, client_id, ops }) {
  const doc = load(base)
  // After loading: yjs takes another id when it sees its own id arrive from elsewhere.
  doc.clientID = client_id
  const before = Y.encodeStateVector(doc)
  const map = doc.getMap('o')
  for (const [key, op] of ops) map.set(key, bytes(op))
  return {
    client_id: doc.clientID,
    push: base64(Y.encodeStateAsUpdate(doc, before)),
    update: base64(Y.encodeStateAsUpdate(doc))
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line)
  const answer = request.client_id === undefined ? read(request) : write(request)
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}
