/** What people are told of an error of the operating system, by its code; undefined for codes with no words of ours. */
export function systemErrorWords(error: unknown): string | undefined {
  const { code } = error as NodeJS.ErrnoException;
  return code === undefined ? undefined : WORDS[code];
}

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder',
  EACCES: 'this account may not read or write it',
  EPERM: 'this account may not do that',
  EROFS: 'the file system is read-only',
  ENOTDIR: 'is not a folder',
  EEXIST: 'is there already and is not a folder',
  EISDIR: 'is a folder, not a file',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota of this account is used up',
  EIO: 'the disk does not work',
  EADDRINUSE: 'another process listens on this address; choose another port, or 0 for any free one',
  EADDRNOTAVAIL: 'this machine does not have this address',
};
