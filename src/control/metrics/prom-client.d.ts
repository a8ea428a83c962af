// Types of prom-client's registry, the only file of it without Node modules.

declare module "prom-client/lib/registry.js" {
  type Metric = {
    readonly name: string;
    get(): {
      readonly name: string;
      readonly help: string;
      readonly type: string;
      readonly values: readonly object[];
    };
  };

  export default class Registry {
    registerMetric(metric: Metric): void;
    metrics(): Promise<string>;
    readonly contentType: string;
  }
}
