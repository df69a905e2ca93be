// Reads a walker's episode file as aiga_walker/episode_file.py describes it; prints its integers (mm, mrad, hundredths) as JSON.
import { readFile } from "node:fs/promises";

async function unpack(column) {
  const [n, c = 1] = column.shape;
  const packed = Uint8Array.from(atob(column.data), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const raw = new Uint8Array(await new Response(stream).arrayBuffer());
  const rows = Array.from({ length: n }, () => new Array(c));
  for (let j = 0; j < c; j++) {
    for (let t = 0; t < n; t++) {
      let u = 0;
      for (let k = 0; k < column.bytes; k++) u |= raw[(k * c + j) * n + t] << (8 * k);
      rows[t][j] = (u >>> 1) ^ -(u & 1);
    }
    for (let d = 0; d < column.differences; d++) for (let t = 1; t < n; t++) rows[t][j] += rows[t - 1][j];
  }
  return rows;
}

const HIP = 800 / 3, HALF = 1700 / 3;

function poses(hull, angles, slack) {
  return hull.map(([x, y], t) => {
    const bodies = [[x, y, angles[t][0]]];
    [[0, HIP], [1, HALF], [0, HIP], [3, HALF]].forEach(([above, below], limb) => {
      const [px, py, pa] = bodies[above];
      const a = pa + angles[t][limb + 1];
      const [sx, sy] = slack[t].slice(2 * limb, 2 * limb + 2);
      bodies.push([
        Math.floor(px + below * Math.sin(pa / 1000) + HALF * Math.sin(a / 1000) + 0.5) + sx,
        Math.floor(py - below * Math.cos(pa / 1000) - HALF * Math.cos(a / 1000) + 0.5) + sy,
        a,
      ]);
    });
    return bodies;
  });
}

const file = JSON.parse(await readFile(process.argv[2], "utf8"));
if (file.format !== "aiga-walker-episode" || file.version > 1) throw new Error("not an episode of version 1");
const columns = {};
for (const [name, column] of Object.entries(file.columns)) columns[name] = await unpack(column);
const boxes = [];
for (let at = 0, b = 0; b < file.corners.length; at += file.corners[b++]) {
  boxes.push(columns.boxes.slice(at, at + file.corners[b]));
}
console.log(JSON.stringify({
  poses: poses(columns.hull, columns.angles, columns.slack),
  returns: columns.returns.map(([value]) => value),
  actions: columns.actions,
  line: columns.line,
  boxes,
}));
