// The list of nodes.

import type { MeshNode } from "../../domain/model/node.ts";
import { unreachedReason } from "../../domain/model/node-gateway.ts";
import { isAlive } from "../../domain/model/task.ts";
import type { Page } from "../paging.ts";
import { DataTable } from "../parts/data-table.tsx";
import { Glyph } from "../parts/glyph.tsx";
import { Elapsed } from "../parts/inline-text.tsx";
import { AdminStateTag, nodeStateText } from "../parts/node-state.tsx";
import { Pager, SearchForm } from "../parts/search-form.tsx";
import { TrafficCells, TrafficHeadings } from "../parts/traffic-cells.tsx";
import { nodePath, pagePaths } from "../paths.ts";
import { formatInteger } from "../text.ts";
import type { DashboardView } from "../view.ts";

export function Nodes({ view, page }: { view: DashboardView; page: Page<MeshNode> }) {
  return (
    <>
      <h1>Nodes</h1>
      <SearchForm page={page} noun="node" path={pagePaths.nodes} />
      <section id="nodes" data-part>
        {page.items.length === 0 ? (
          <p class="empty">
            {page.query === "" ? (
              <>
                No node has joined yet. On the machine that should join, run the command that{" "}
                <code>waggle join-token</code> prints.
              </>
            ) : (
              `No node matches “${page.query}”.`
            )}
          </p>
        ) : (
          <NodeTable nodes={page.items} view={view} />
        )}
        <Pager page={page} path={pagePaths.nodes} />
      </section>
    </>
  );
}

function NodeTable({ nodes, view }: { nodes: readonly MeshNode[]; view: DashboardView }) {
  return (
    <DataTable
      label="Table of nodes"
      headings={[
        "Node",
        "State",
        "For",
        "Tasks",
        view.traffic !== null && <TrafficHeadings />,
        "Address",
        "Transport",
        "Machine",
      ]}
    >
      {nodes.map((node) => (
        <tr>
          <th scope="row">
            <a href={nodePath(node, view.nodes)}>{node.hostname}</a>
          </th>
          <td>
            <NodeStateCell node={node} />
          </td>
          <td class="nowrap">
            <Elapsed sinceMs={node.stateSinceMs} nowMs={view.nowMs} />
          </td>
          <td class="nowrap">
            {formatInteger(view.tasksOfNode(node.id).filter((task) => isAlive(task)).length)}
          </td>
          {view.traffic !== null && <TrafficCells traffic={view.traffic.nodeById.get(node.id)} isPassedOn />}
          <td>{node.address}</td>
          <td class={(node.transport?.reason ?? "") === "" ? "nowrap" : "wide"}>
            <TransportCell node={node} />
          </td>
          <td class="wide">{machineText(node)}</td>
        </tr>
      ))}
    </DataTable>
  );
}

function NodeStateCell({ node }: { node: MeshNode }) {
  const stateText = nodeStateText(node);
  const status = node.state !== "ready" ? "failed" : stateText === "ready" ? "running" : "leaving";
  return (
    <span class={`state is-${status}`}>
      <Glyph status={status} /> {stateText}
      <AdminStateTag node={node} />
      {node.message !== "" && <span class="err">{node.message}</span>}
    </span>
  );
}

/** The transport, and why it is not a better one. */
function TransportCell({ node }: { node: MeshNode }) {
  const { kind = "–", reason = "" } = node.transport ?? {};
  const isProblem = unreachedReason(node) !== "";
  return (
    <>
      {kind}
      {reason !== "" && <span class={isProblem ? "err" : "muted"}> {reason}</span>}
    </>
  );
}

/** `linux x86_64, 4 CPUs, 8 GiB, process runtime`. */
export function machineText({ platform, resources, runtime }: MeshNode): string {
  const cpus = Math.round(resources.nanoCpus / 1e8) / 10;
  const gib = Math.round((resources.memoryBytes / 1024 ** 3) * 10) / 10;
  return `${platform.os} ${platform.arch}, ${cpus} CPU${cpus === 1 ? "" : "s"}, ${gib} GiB, ${runtime} runtime`;
}
