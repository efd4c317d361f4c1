/**
 * What keeps unused code of two packages out of the bundle: their main modules load everything they have. What it saves is
 * in docs/benchmarks.md. A name that is imported from them and missing here fails the build.
 *
 * And yaml, which is CommonJS: `await import('yaml')` of one in a chunk of its own gives a default export only.
 */
import type { Plugin } from 'esbuild';

const clientNode = `
  export { KubeConfig } from '@kubernetes/client-node/dist/config.js';
`;

/** What KubeConfig.makeApiClient() needs of the generated API of 800 modules. We send requests ourselves. */
const generatedApi = `
  export function createConfiguration() {
    throw new Error('the generated API of client-node is not in this bundle: cmd/build/slimming.ts');
  }
  export class ServerConfiguration {}
`;

const undici = `
  import Agent from 'undici/lib/dispatcher/agent.js';
  import Dispatcher from 'undici/lib/dispatcher/dispatcher.js';
  import ProxyAgent from 'undici/lib/dispatcher/proxy-agent.js';
  import api from 'undici/lib/api/index.js';
  // As its main module does: request(), connect() and so on are methods of every dispatcher.
  Object.assign(Dispatcher.prototype, api);
  export { Agent, Dispatcher, ProxyAgent };
`;

const yaml = `
  export { LineCounter, parse, parseDocument, stringify } from 'yaml';
`;

/** client-node without its generated API, watches and streams; undici without its caches, mocks, fetch and WebSocket. */
export function slimming(): Plugin {
  const namespace = 'slimming';
  return {
    name: namespace,
    setup({ onResolve, onLoad }) {
      const replace = (filter: RegExp, contents: string, importers = /^/) =>
        onResolve({ filter }, ({ path, importer }) =>
          importers.test(importer.replaceAll('\\', '/')) ? { path, namespace, pluginData: contents } : undefined,
        );
      replace(/^@kubernetes\/client-node$/, clientNode);
      replace(/^\.\/gen\/index\.js$/, generatedApi, /\/@kubernetes\/client-node\/dist\/config\.js$/);
      replace(/^undici$/, undici);
      // From files only: the replacement imports it as well.
      replace(/^yaml$/, yaml, /\//);
      onLoad({ filter: /^/, namespace }, ({ pluginData }) => ({
        contents: pluginData,
        resolveDir: import.meta.dirname,
      }));
    },
  };
}
