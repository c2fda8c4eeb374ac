"""GStreamer's RTSP server with a test picture, for tests against somebody else's server.

Run by the system's Python, which has GStreamer's bindings: gst_server.py [USER PASSWORD]. Prints its port,
and ends when its standard input is closed, so that it outlives no test. Needs Debian's
gir1.2-gst-rtsp-server-1.0, python3-gi and gstreamer1.0-plugins-{base,good,bad,ugly}.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

PIPELINE = (
    "( videotestsrc is-live=true pattern=ball ! video/x-raw,format=I420,width=320,height=240,framerate=25/1 "
    "! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=25 threads=1 "
    "! rtph264pay name=pay0 pt=96 config-interval=1 )"
)


def main() -> None:
    """Serve rtsp://127.0.0.1:PORT/test until standard input ends."""
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service("0")
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(PIPELINE)
    if len(sys.argv) == 3:
        demand_login(server, factory, user=sys.argv[1], password=sys.argv[2])
    server.get_mount_points().add_factory("/test", factory)
    server.attach(None)
    loop = GLib.MainLoop()
    GLib.io_add_watch(
        GLib.IOChannel.unix_new(0), GLib.PRIORITY_DEFAULT, GLib.IOCondition.HUP, lambda *_: loop.quit()
    )
    print(server.get_bound_port(), flush=True)
    loop.run()


def demand_login(
    server: GstRtspServer.RTSPServer, factory: GstRtspServer.RTSPMediaFactory, *, user: str, password: str
) -> None:
    """Let nobody but `user` see the stream."""
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_permission_for_role("viewer", "media.factory.access", True)
    permissions.add_permission_for_role("viewer", "media.factory.construct", True)
    factory.set_permissions(permissions)
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    login = GstRtspServer.RTSPAuth()
    login.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    server.set_auth(login)


if __name__ == "__main__":
    main()
