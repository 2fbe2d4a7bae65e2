import { runDemo } from './demo/story.ts';

process.exitCode = await runDemo({ keep: process.env['KEEP'] === '1', now: new Date() });
