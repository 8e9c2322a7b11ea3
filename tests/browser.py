"""A headless Chromium for the tests of pages, opened from the disk as people open them.

They are skipped where there is no Chromium or no selenium, with that reason; where
``RNNLITE_BROWSER`` is set they fail instead.
"""

import importlib.util
import os
import shutil

import pytest


def missing():
    """What is missing, or an empty text."""
    if importlib.util.find_spec("selenium") is None:
        return "selenium is not installed: pip install -e '.[browser]'"
    names = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    return f"no {' and no '.join(names)} (Debian: chromium, chromium-driver)" if names else ""


class Browser:
    """One window, and what went wrong in it."""

    def __init__(self):
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service

        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium")
        for argument in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "disable-gpu"):
            options.add_argument(f"--{argument}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options, Service(shutil.which("chromedriver")))
        self.driver.set_script_timeout(60)

    def open(self, path, width=1600, height=900):
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=height,
                     deviceScaleFactor=1, mobile=False)  # fmt: skip
        self.driver.get(path.as_uri())

    def command(self, name, **arguments):
        """A command of Chrome's own protocol."""
        return self.driver.execute_cdp_cmd(name, arguments)

    def run(self, script, *arguments):
        """The value of a script in the page."""
        return self.driver.execute_script(script, *arguments)

    def text(self, selector):
        return self.find(selector).text

    def find(self, selector):
        from selenium.webdriver.common.by import By

        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def press(self, *keys):
        """Keys to whatever has the focus."""
        from selenium.webdriver.common.action_chains import ActionChains
        from selenium.webdriver.common.keys import Keys

        named = [getattr(Keys, key) if key.isupper() and len(key) > 1 else key for key in keys]
        ActionChains(self.driver).send_keys(*named).perform()

    def drag(self, selector, points):
        """Draw from point to point, each a pair of shares of the element's width and height."""
        from selenium.webdriver.common.action_chains import ActionChains

        element = self.find(selector)
        self.run("arguments[0].scrollIntoView({block: 'center'})", element)
        wide, high = element.size["width"], element.size["height"]
        actions = ActionChains(self.driver, duration=20)
        for n, (x, y) in enumerate(points):
            actions.move_to_element_with_offset(element, (x - 0.5) * wide, (y - 0.5) * high)
            if n == 0:
                actions.click_and_hold()
        actions.release().perform()

    def wait(self, condition, seconds=20):
        """Until a script says true."""
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(self.driver, seconds, 0.02).until(lambda _: self.run(condition))

    def messages(self):
        """What stands in the console since the last time."""
        return [entry["message"] for entry in self.driver.get_log("browser")]


@pytest.fixture(scope="session")
def started_browser():
    if reason := missing():
        if os.environ.get("RNNLITE_BROWSER"):
            pytest.fail(f"RNNLITE_BROWSER demands these tests, but there is {reason}")
        pytest.skip(reason)
    started = Browser()
    yield started
    started.driver.quit()


@pytest.fixture
def browser(started_browser):
    """The browser; after the test its console must be empty."""
    yield started_browser
    found = started_browser.messages()
    started_browser.driver.get("about:blank")
    assert not found, found
