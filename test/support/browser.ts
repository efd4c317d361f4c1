/** A headless Chromium for tests, spoken to over a pipe. Debian's package `chromium` brings it; tests skip without. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { until } from './until.ts';

interface Answer {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly message: string };
}

type Send = (method: string, params: object, sessionId?: string) => Promise<Answer>;

/** One page of one browser. */
export class BrowserPage {
  /** What the console was told as error, exceptions, and what the page's policy refused. */
  readonly errors: string[] = [];
  readonly #send: Send;
  #session = '';
  readonly #end: () => Promise<void>;

  private constructor(send: Send, end: () => Promise<void>) {
    this.#send = send;
    this.#end = end;
  }

  static async open(program: string): Promise<BrowserPage> {
    const profile = mkdtempSync(join(tmpdir(), 'zen-browser-'));
    const flags = ['--headless=new', '--no-sandbox', '--disable-gpu', '--remote-debugging-pipe', '--no-first-run'];
    const child = spawn(program, [...flags, `--user-data-dir=${profile}`], {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
    });
    const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
    const waiting = new Map<number, (answer: Answer) => void>();
    const toBrowser = child.stdio[3] as Writable;
    const fromBrowser = child.stdio[4] as Readable;
    let last = 0;
    const send: Send = (method, params, sessionId) =>
      new Promise<Answer>((resolve, reject) => {
        last += 1;
        waiting.set(last, (answer) => (answer.error ? reject(new Error(answer.error.message)) : resolve(answer)));
        toBrowser.write(`${JSON.stringify({ id: last, method, params, sessionId })}\0`);
      });
    const page = new BrowserPage(send, async () => {
      child.kill('SIGKILL');
      await ended;
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    });
    let text = '';
    fromBrowser.setEncoding('utf8').on('data', (chunk: string) => {
      const parts = (text + chunk).split('\0');
      text = parts.pop() ?? '';
      for (const part of parts) {
        const answer = JSON.parse(part) as Answer;
        if (answer.id === undefined) page.#note(answer);
        else waiting.get(answer.id)?.(answer);
      }
    });
    const { result: target } = await send('Target.createTarget', { url: 'about:blank' });
    const { result } = await send('Target.attachToTarget', { targetId: target?.['targetId'], flatten: true });
    page.#session = String(result?.['sessionId']);
    for (const domain of ['Page', 'Runtime', 'Log']) await page.do(`${domain}.enable`);
    return page;
  }

  /** One command of the DevTools protocol. */
  async do(method: string, params: object = {}): Promise<Readonly<Record<string, unknown>>> {
    return (await this.#send(method, params, this.#session)).result ?? {};
  }

  async size(width: number, height: number): Promise<void> {
    await this.do('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: width < 600 });
  }

  async dark(isDark: boolean): Promise<void> {
    const features = [{ name: 'prefers-color-scheme', value: isDark ? 'dark' : 'light' }];
    await this.do('Emulation.setEmulatedMedia', { features });
  }

  async goTo(url: string): Promise<void> {
    await this.do('Page.navigate', { url });
    await until('the page to be loaded', async () => (await this.ask('document.readyState')) === 'complete');
  }

  /** The value of an expression in the page. */
  async ask(expression: string): Promise<unknown> {
    const answer = await this.do('Runtime.evaluate', { expression, returnByValue: true, awaitPromise: true });
    if (answer['exceptionDetails'] !== undefined) throw new Error(JSON.stringify(answer['exceptionDetails']));
    return (answer['result'] as { value?: unknown }).value;
  }

  /** A key as a person presses it: `Tab`, `Enter`, `/`. */
  async press(key: string): Promise<void> {
    const codes: Readonly<Record<string, number>> = { Tab: 9, Enter: 13, Escape: 27 };
    const text = key === 'Enter' ? '\r' : key.length === 1 ? key : undefined;
    const parts = { key, code: key, windowsVirtualKeyCode: codes[key] ?? 0, ...(text === undefined ? {} : { text }) };
    await this.do('Input.dispatchKeyEvent', { type: text === undefined ? 'rawKeyDown' : 'keyDown', ...parts });
    await this.do('Input.dispatchKeyEvent', { type: 'keyUp', ...parts });
  }

  async type(text: string): Promise<void> {
    await this.do('Input.insertText', { text });
  }

  async screenshot(path: string): Promise<void> {
    const { data } = await this.do('Page.captureScreenshot', { format: 'png' });
    writeFileSync(path, Buffer.from(String(data), 'base64'));
  }

  close(): Promise<void> {
    return this.#end();
  }

  #note({ method, params }: Answer): void {
    if (method === 'Runtime.exceptionThrown') this.errors.push(JSON.stringify(params?.['exceptionDetails']));
    if (method === 'Runtime.consoleAPICalled' && params?.['type'] === 'error') this.errors.push(JSON.stringify(params));
    if (method === 'Log.entryAdded') {
      const entry = params?.['entry'] as { level?: string; text?: string } | undefined;
      if (entry?.level === 'error') this.errors.push(String(entry.text));
    }
  }
}
