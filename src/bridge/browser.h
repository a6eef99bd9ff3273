#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_oauth {

// The ways to open `address` on this machine, as argument vectors without any shell, the best first: each of
// BROWSER (apart by ':', words by blanks, %s for the address), else the desktop's own where there is a
// desktop. None: nobody sits before a browser here. `find` gives the path of a program, or "".
std::vector<std::vector<std::string>> browser_commands(
    const std::string& address,
    const std::function<std::optional<std::string>(std::string_view)>& environment,
    const std::function<std::string(const std::string&)>& find);

// What to type on the machine where the browser is, so that the callback is reached: "ssh -L …"; "" where
// nobody came here by ssh.
std::string ssh_forward(std::uint16_t port,
                        const std::function<std::optional<std::string>(std::string_view)>& environment);

// Where no browser is: every way to sign in all the same. `login` is the command that takes what is pasted;
// "": this process takes it, in the terminal that it is in. `device_code`: the authorization server gives
// such.
std::string ways_without_browser(const std::string& redirect_uri, const std::string& login,
                                 bool device_code = true);

}  // namespace mcp_oauth
