# SPDX-License-Identifier: Apache-2.0
# What a command is and has, as lines. Host ids and inode numbers differ from run to run: namespaces are compared elsewhere.
# Runs behind a prelude that has `os`, `read` and `attempt`.
import resource, stat
status = dict(line.split(':', 1) for line in read('/proc/self/status').splitlines())
for field in ('Uid', 'Gid', 'Groups', 'CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb', 'NoNewPrivs', 'Seccomp',
              'Seccomp_filters', 'SigBlk', 'SigIgn', 'Threads', 'Umask', 'NStgid'):
    if field in status: print(field, ' '.join(status[field].split()))
print('uid map width', read('/proc/self/uid_map').split()[2])
print('session leader', os.getsid(0) == os.getpid(), 'group leader', os.getpgid(0) == os.getpid())
print('cwd', os.getcwd(), 'terminal', attempt(os.open, '/dev/tty', os.O_RDWR))
print('host name', os.uname().nodename)
print('descriptors', *(n for n in range(64) if attempt(os.fstat, n) == 'ok'))
print('environment', *sorted(n for n in os.environ if n != 'LC_CTYPE'))
print('oom_score_adj', read('/proc/self/oom_score_adj').strip())
print('limits', 'core', *resource.getrlimit(resource.RLIMIT_CORE), 'files', resource.getrlimit(resource.RLIMIT_NOFILE)[0])
print('interfaces', *sorted(line.split(':')[0].strip() for line in read('/proc/net/dev').splitlines()[2:]))
for entry in sorted(set(os.listdir('/')) - {'lib32', 'lib64', 'libx32'}):   # of the machine's kind
    info = os.lstat('/' + entry)
    if stat.S_ISLNK(info.st_mode): print('/' + entry, '->', os.readlink('/' + entry))
    else: print('/' + entry, oct(stat.S_IMODE(info.st_mode)), info.st_uid, info.st_gid)
for line in sorted(read('/proc/self/mountinfo').splitlines(), key=lambda l: l.split()[4]):
    words = line.split()
    dash = words.index('-')
    if words[4].startswith('/proc/'): continue   # which files exist there depends on the kernel
    kind = words[dash + 1]
    if kind not in ('tmpfs', 'overlay', 'proc', 'devpts'): kind = 'machine'
    if words[4].startswith('/dev/') and kind == 'tmpfs': kind = 'machine'
    print('mount', words[4], kind, ','.join(o for o in words[5].split(',') if not o.endswith('atime')))
