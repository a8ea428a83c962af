// The page that creates a service.

import { ServiceForm } from "../parts/service-form.tsx";
import { pagePaths } from "../paths.ts";

const emptyFields = { image: "", replicas: "1", env: "", ports: "" };

export function CreateService({ formToken }: { formToken: string }) {
  return (
    <>
      <h1>Create a service</h1>
      <p class="muted">
        For everything else that a service can have, use <code>waggle service create</code> or the Docker CLI.
      </p>
      <ServiceForm
        action={`${pagePaths.createService}/preview`}
        fields={emptyFields}
        formToken={formToken}
        button="Create…"
      >
        <label for="name">Name</label>
        <input id="name" name="name" required autocomplete="off" spellcheck={false} />
      </ServiceForm>
    </>
  );
}
