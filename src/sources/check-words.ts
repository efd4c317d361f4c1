/** How a failed check or a numbered test of a benchmark is put into words, alike for every tool. */
import { firstFitting } from '../lib/text-fit.ts';
import { summaryWidth } from './summary-width.ts';

/** `1.2.6 --kubelet-certificate-authority argument is set`, as much of it as fits: what every title begins with is left out. */
export function checkSummary(title: string, source: string): string {
  return firstFitting([title.replace(/ Ensure (?:that )?(?:the )?/i, ' ')], summaryWidth(source));
}
