// All nodes.

import type { Node } from "../../domain/node.ts";
import { isAlive } from "../../domain/task.ts";
import type { Page } from "../paging.ts";
import { Finder, Pager } from "../parts/finder.tsx";
import { nodeWord } from "../parts/node-state.tsx";
import { NowCells, NowHeadings } from "../parts/now.tsx";
import { For, nodePath, number } from "../parts/words.tsx";
import type { View } from "../view.ts";

const path = "/dashboard/nodes";

export function Nodes({ view, page }: { view: View; page: Page<Node> }) {
  return (
    <>
      <h1>Nodes</h1>
      <Finder page={page} what="node" path={path} />
      <section id="nodes" data-part>
        {page.items.length === 0 ? (
          <p class="empty">
            {page.query === "" ? (
              <>
                No node has joined yet: run on a machine what <code>waggle join-token</code> prints.
              </>
            ) : (
              `No node with “${page.query}”.`
            )}
          </p>
        ) : (
          <section class="scroll" aria-label="Table of nodes" tabindex={0}>
            <table class="list">
              <thead>
                <tr>
                  <th scope="col">Node</th>
                  <th scope="col">State</th>
                  <th scope="col">For</th>
                  <th scope="col">Tasks</th>
                  {view.traffic !== null && <NowHeadings />}
                  <th scope="col">Address</th>
                  <th scope="col">Machine</th>
                </tr>
              </thead>
              <tbody>
                {page.items.map((node) => (
                  <tr>
                    <th scope="row">
                      <a href={nodePath(node, view.nodes)}>{node.hostname}</a>
                    </th>
                    <td>
                      <NodeWord node={node} />
                    </td>
                    <td class="figure">
                      <For sinceMs={node.stateSinceMs} nowMs={view.nowMs} />
                    </td>
                    <td class="figure">
                      {number(view.tasksOfNode(node.id).filter((task) => isAlive(task)).length)}
                    </td>
                    {view.traffic !== null && <NowCells traffic={view.traffic.nodeById.get(node.id)} />}
                    <td>{node.address}</td>
                    <td>{machine(node)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </section>
        )}
        <Pager page={page} path={path} />
      </section>
    </>
  );
}

/** The node's state as a word with its shape. */
function NodeWord({ node }: { node: Node }) {
  const word = nodeWord(node);
  const look = node.state !== "ready" ? "failed" : word === "active" ? "running" : "leaving";
  return (
    <span class={`state is-${look}`}>
      <svg class={`glyph is-${look}`} aria-hidden="true">
        <use href={`#g-${look}`} />
      </svg>{" "}
      {word === "active" ? "ready" : word}
      {node.message !== "" && <span class="err">{node.message}</span>}
    </span>
  );
}

/** `linux x86_64, 4 CPUs, 8 GiB, process runtime`. */
export function machine({ platform, resources, runtime }: Node): string {
  const cpus = Math.round(resources.nanoCpus / 1e8) / 10;
  const gib = Math.round((resources.memoryBytes / 1024 ** 3) * 10) / 10;
  return `${platform.os} ${platform.arch}, ${cpus} CPU${cpus === 1 ? "" : "s"}, ${gib} GiB, ${runtime} runtime`;
}
