// The fields of the form that creates or edits a service, as text, and the document that they make.

import { invalidAs } from "../domain/model/error.ts";
import type { ServiceSpec } from "../domain/model/service.ts";

/** The values of the form's fields. */
export type ServiceFormFields = {
  readonly image: string;
  /** Empty for a service that is not replicated. */
  readonly replicas: string;
  /** `KEY=value`, one a line. */
  readonly env: string;
  /** `8080:80`, `8080:80/host`, one a line; `80` for any free port. */
  readonly ports: string;
};

/** The fields of a service as it is. */
export function formFieldsOf({ run, mode, ports }: ServiceSpec): ServiceFormFields {
  return {
    image: run.image,
    replicas: mode.kind === "replicated" ? String(mode.replicas) : "",
    env: run.env.join("\n"),
    ports: ports
      .map(({ published, target, mode: publishMode }) => {
        const text = published === undefined ? String(target) : `${published}:${target}`;
        return publishMode === "host" ? `${text}/host` : text;
      })
      .join("\n"),
  };
}

type EngineDocument = Readonly<Record<string, unknown>>;

/**
 * The document with the fields of the form; other settings stay.
 *
 * @throws MeshError image/invalid, replicas/invalid, env/invalid, port/invalid
 */
export function withFormFields(document: EngineDocument, fields: ServiceFormFields): EngineDocument {
  const template = (document.TaskTemplate ?? {}) as EngineDocument;
  const container = (template.ContainerSpec ?? {}) as EngineDocument;
  const endpoint = (document.EndpointSpec ?? {}) as EngineDocument;
  const image = fields.image.trim();
  if (image === "")
    throw invalidAs("image/invalid")("the image is missing: write a name such as waggle/whoami");
  return {
    ...document,
    TaskTemplate: {
      ...template,
      ContainerSpec: { ...container, Image: image, Env: lines(fields.env).map(readVariable) },
    },
    ...(fields.replicas !== "" && { Mode: { Replicated: { Replicas: readReplicas(fields.replicas) } } }),
    EndpointSpec: { ...endpoint, Ports: lines(fields.ports).map(readPort) },
  };
}

function lines(text: string): readonly string[] {
  return text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

/** @throws MeshError replicas/invalid */
export function readReplicas(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 10_000) return Number(text);
  throw invalidAs("replicas/invalid")(`cannot read "${text}" as a number of tasks: write 0 to 10000`);
}

function readVariable(line: string): string {
  if (line.indexOf("=") > 0) return line;
  throw invalidAs("env/invalid")(`cannot read "${line}" as a variable: write KEY=value`);
}

function readPort(line: string): EngineDocument {
  const [, published, target, host] = /^(?:(\d{1,5}):)?(\d{1,5})(\/host)?$/.exec(line) ?? [];
  if (target === undefined) {
    throw invalidAs("port/invalid")(
      `cannot read "${line}" as a port: write 8080:80, 8080:80/host, or 80 for any port`,
    );
  }
  return {
    Protocol: "tcp",
    TargetPort: Number(target),
    ...(published !== undefined && { PublishedPort: Number(published) }),
    PublishMode: host === undefined ? "ingress" : "host",
  };
}
