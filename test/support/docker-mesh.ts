// A mesh of two nodes whose tasks are containers of a real dockerd, and the Docker CLI as its client.

import { PrivateDockerd, type Ran } from "./dockerd.ts";
import { MeshProcess, newStateDir } from "./mesh-process.ts";

export class DockerMesh {
  readonly dockerd: PrivateDockerd;
  readonly mesh: MeshProcess;

  private constructor(dockerd: PrivateDockerd, mesh: MeshProcess) {
    this.dockerd = dockerd;
    this.mesh = mesh;
  }

  /** Starts a daemon with the images `nginx` and `busybox`, and the mesh in its network. */
  static async start(): Promise<DockerMesh> {
    const dockerd = await PrivateDockerd.start();
    try {
      await dockerd.importImages();
      const place = { address: "127.0.0.1", command: dockerd.command };
      const flags = ["--nodes", "2", "--runtime", "docker"];
      return new DockerMesh(dockerd, await MeshProcess.startAt(place, flags, newStateDir()));
    } catch (error) {
      await dockerd.remove();
      throw error;
    }
  }

  /** Runs the Docker CLI against the mesh. */
  readonly docker = (...args: readonly string[]): Promise<Ran> => {
    const host = `DOCKER_HOST=tcp://127.0.0.1:${this.mesh.controlPort}`;
    const headers = `DOCKER_CUSTOM_HEADERS=Authorization=Bearer ${this.mesh.token}`;
    return this.dockerd.run(["env", host, headers, "docker", ...args]);
  };

  /** The same. @returns what it printed; throws if it fails */
  readonly ok = async (...args: readonly string[]): Promise<string> => {
    const { code, out } = await this.docker(...args);
    if (code !== 0) throw new Error(`docker ${args.join(" ")} exited with ${code}: ${out}`);
    return out.trim();
  };

  async remove(): Promise<void> {
    await this.mesh.remove();
    await this.dockerd.remove();
  }
}
