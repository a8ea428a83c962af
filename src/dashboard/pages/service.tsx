// The page of one service: its size, actions, traffic, tasks, static servers and events.

import { discoveredLabel } from "../../domain/model/discovery.ts";
import { isUpdating } from "../../domain/orchestrator/update.ts";
import type { ServiceView } from "../../registry/api.ts";
import type { Snapshot } from "../../telemetry/snapshot.ts";
import type { ActionPermission } from "../action-permission.ts";
import { ColoSection } from "../parts/colos.tsx";
import { EventSection } from "../parts/event-list.tsx";
import { LabelList } from "../parts/label-list.tsx";
import { LogPane } from "../parts/log-pane.tsx";
import { NoteList, ProblemList } from "../parts/problem-list.tsx";
import { ServerTable } from "../parts/server-table.tsx";
import { ServiceForm } from "../parts/service-form.tsx";
import { Stat } from "../parts/stat.tsx";
import { TaskTable } from "../parts/task-table.tsx";
import { measurementOf, type PageTraffic, TrafficSection } from "../parts/traffic.tsx";
import { servicePath } from "../paths.ts";
import { problemsOfService } from "../problem-groups.ts";
import { formFieldsOf } from "../service-form.ts";
import { serviceSizeText } from "../service-size.ts";
import { imageText, isStatic, modeText } from "../service-text.ts";
import type { DashboardView } from "../view.ts";
import { PublishedAddresses } from "./services.tsx";

export function ServicePage({
  view,
  service,
  permission,
  logRefusal,
  formToken,
  traffic: { total, byTask, range },
}: {
  view: DashboardView;
  service: ServiceView;
  permission: ActionPermission;
  /** Why the user sees no logs. */
  logRefusal: string | null;
  formToken: string;
  traffic: PageTraffic;
}) {
  const { spec } = service;
  const hasOnlyServers = isStatic(service, view);
  const tasks = view.tasksOfService(service.id);
  const canAct = permission.isAllowed;
  const events = view.events.filter(({ subject: { id, type, name } }) =>
    type === "service" ? id === service.id : type === "task" && name.startsWith(`${spec.name}.`),
  );
  return (
    <>
      <div class="title" id="title" data-part>
        <h1>{spec.name}</h1>
        <p class="muted">{hasOnlyServers ? "static servers" : imageText(service, view)}</p>
      </div>
      <dl class="stats" id="stats" data-part>
        <Stat
          label={hasOnlyServers ? "Servers up" : "Tasks running"}
          value={serviceSizeText(service, view)}
        />
        <Stat label="Mode" value={modeText(service, view)} />
        <div>
          <dt>Published</dt>
          <dd class="small">
            <PublishedAddresses service={service} />
          </dd>
        </div>
      </dl>
      <ProblemList view={view} problems={problemsOfService(view.problems, spec.name)} />
      <NoteList notes={view.notes.filter(({ services }) => services.includes(spec.name))} />
      <UpdateNotice service={service} />
      <ServiceActions service={service} view={view} permission={permission} formToken={formToken} />
      <TrafficSection
        measurement={measurementOf(total, total?.services, service.id)}
        range={range}
        path={servicePath(spec.name)}
      />
      <section aria-labelledby="tasks-title" id="tasks" data-part>
        {(!hasOnlyServers || tasks.length > 0) && (
          <>
            <h2 id="tasks-title">Tasks</h2>
            <TaskTable tasks={tasks} view={view} page="service" traffic={byTask} canAct={canAct} />
          </>
        )}
      </section>
      <Servers service={service} view={view} traffic={byTask} canAct={canAct} />
      {service.desiredTasks > 0 && <LogPane path={servicePath(spec.name)} refusal={logRefusal} />}
      <ColoSection snapshot={byTask} view={view} />
      <LabelList labels={spec.labels} />
      <EventSection events={events} view={view} />
    </>
  );
}

type ServersProps = { service: ServiceView; view: DashboardView; traffic: Snapshot | null; canAct: boolean };

function Servers({ service, view, traffic, canAct }: ServersProps) {
  const servers = view.serversOfService(service.id);
  return (
    <section aria-labelledby="servers-title" id="servers" data-part>
      {servers.length > 0 && (
        <>
          <h2 id="servers-title">Static servers</h2>
          <ServerTable servers={servers} view={view} traffic={traffic} canAct={canAct} />
        </>
      )}
    </section>
  );
}

/** Shown while an update runs. One that is paused is a problem. */
function UpdateNotice({ service }: { service: ServiceView }) {
  const { update } = service;
  const isShown = update !== undefined && update !== null && isUpdating(service);
  return (
    <div id="update" data-part>
      {isShown && (
        <p class="notice" role="status">
          Update {update.state.replaceAll("_", " ")}: {update.message}
        </p>
      )}
    </div>
  );
}

function ServiceActions({
  service,
  view,
  permission,
  formToken,
}: {
  service: ServiceView;
  view: DashboardView;
  permission: ActionPermission;
  formToken: string;
}) {
  const { mode, name } = service.spec;
  const path = servicePath(name);
  if (service.discovered !== undefined) {
    const where = service.spec.labels[discoveredLabel];
    return <p class="read-only">Discovered ({where}): change it there.</p>;
  }
  if (!permission.isAllowed) return <p class="read-only">{permission.reason}</p>;
  return (
    <section class="actions" aria-label="Actions">
      {mode.kind === "replicated" && !isStatic(service, view) && (
        <form method="get" action={`${path}/scale`}>
          <label for="replicas">Replicas</label>
          <input
            id="replicas"
            name="replicas"
            type="number"
            min="0"
            max="10000"
            required
            value={String(mode.replicas)}
          />
          <button type="submit">Scale…</button>
        </form>
      )}
      {!isStatic(service, view) && (
        <a class="button" href={`${path}/restart`}>
          Restart…
        </a>
      )}
      {service.previous !== null && (
        <a class="button" href={`${path}/rollback`}>
          Roll back…
        </a>
      )}
      <a class="button" href={`${path}/remove`}>
        Remove…
      </a>
      {!isStatic(service, view) && (
        <details id="edit">
          <summary>Edit image, replicas, environment and ports</summary>
          <ServiceForm
            action={`${path}/edit`}
            fields={formFieldsOf(service.spec)}
            formToken={formToken}
            button="Update…"
          />
        </details>
      )}
    </section>
  );
}
