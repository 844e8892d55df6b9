// Text against what is behind it, as WCAG AA asks: 4.5 to 1. Shows every hidden part first: the page is of no use afterwards.

import { check } from './report.mjs';

export async function contrast(page, what) {
  const poor = await page.evaluate(() => {
    for (const hidden of document.querySelectorAll('[hidden]')) hidden.hidden = false;
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const pixel = (colour) => {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const linear = (v) => (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
    const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    const behind = (node) => {
      for (let at = node; at; at = at.parentElement) {
        const colour = pixel(getComputedStyle(at).backgroundColor);
        if (colour[3] === 255) return colour;
      }
      return pixel(getComputedStyle(document.body).backgroundColor);
    };
    const found = [];
    for (const node of document.querySelectorAll('main *, form *')) {
      const words = [...node.childNodes].some((child) => child.nodeType === Node.TEXT_NODE && child.textContent.trim());
      if (!words || node.closest('.sr, :disabled, option')) continue;
      const [a, b] = [luminance(pixel(getComputedStyle(node).color)), luminance(behind(node))];
      const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      if (ratio < 4.5) found.push(`${node.tagName}#${node.id}.${node.className} ${ratio.toFixed(2)}: ${node.textContent.slice(0, 30)}`);
    }
    return found;
  });
  check(poor.length === 0, `every text stands out (AA): ${what}`, poor);
}
