"""The scrub: a flipped bit in a sealed segment is told, and the service goes on."""
import json
import signal

from shared import Case, Server, until


class Scrub(Case):
    def test_a_flipped_bit_is_a_report_and_the_service_goes_on(self):
        with Server(self.data) as server:
            server.fill(30000)
            before = server.call("GET", "/tracker/v1/summary")[2]
            self.assertEqual(server.call("POST", "/_gantry/v1/scrub", {})[0], 200)
            clean = until("a round", lambda: (s := server.call("GET", "/_gantry/v1/scrub")[2])["rounds_total"] == 1 and s)
            self.assertEqual((clean["damages"], clean["running"]), ([], False))
            self.assertGreater(clean["segments"], 0)
            segment = sorted((self.data / "main/tracker/log").glob("*.log"))[0]
            with open(segment, "r+b") as file:
                file.seek(50000)
                byte = file.read(1)[0]
                file.seek(50000)
                file.write(bytes([byte ^ 4]))
            server.call("POST", "/_gantry/v1/scrub", {})
            found = until("a round", lambda: (s := server.call("GET", "/_gantry/v1/scrub")[2])["rounds_total"] == 2 and s)
            self.assertEqual([d["file"] for d in found["damages"]], [str(segment)])
            reports = until("a report", lambda: list((self.data / "main" / "reports.d").rglob("*.json")))
            report = json.loads(reports[0].read_text())
            self.assertEqual((report["code"], report["service"]), ("log_damaged", "tracker"))
            self.assertIn(segment.name, report["cause"])
            self.assertEqual(server.call("GET", "/tracker/v1/summary")[2], before)
            self.assertEqual(server.call("POST", "/tracker/v1/reports", server.report("more"))[0], 200)
            server.stop(signal.SIGKILL)
