import socket

from spawner_profiles.singleuser import hold_port


def test_held_ports_are_given_to_nobody_else_and_the_server_can_take_its_own():
    held = [hold_port("127.0.0.1") for _ in range(200)]
    try:
        assert len({port for _, port in held}) == 200
        for _, port in held:
            with socket.socket() as server:
                server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                server.bind(("127.0.0.1", port))
                server.listen()
    finally:
        for holder, _ in held:
            holder.close()
