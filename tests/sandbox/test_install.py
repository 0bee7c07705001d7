"""What is downloaded for a MySQL server: the packages it needs, and not what only package scripts need."""

from __future__ import annotations

from aurora_sandbox.install import closure

DEPENDS = """\
mysql-server-core
  Depends: libc6
 |Depends: libssl-new
  Depends: libssl-old
  Depends: <perl:any>
    perl
  Depends: <libtcmalloc>
    libtcmalloc4
    libtcmalloc-minimal4
libc6
  PreDepends: libgcc-s1
libgcc-s1
  Depends: libc6
libssl-new
libssl-old
libtcmalloc4
libtcmalloc-minimal4
perl
  Depends: perl-base
perl-base
<perl:any>
"""


def test_closure_holds_what_the_server_needs_and_no_perl() -> None:
    assert closure("mysql-server-core", DEPENDS) == [
        "libc6",
        "libgcc-s1",
        "libssl-new",
        "libtcmalloc4",
        "mysql-server-core",
    ]
