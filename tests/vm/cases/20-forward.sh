# Bytes through a forward, TCP to vsock and back: every byte arrives, whoever ends first.
. /vm/case.sh

BIG=104857600
tg-vm-peer generate 4194304 1 >there
tg-vm-peer generate 4194303 2 >back
tg-vm-peer generate $BIG 3 >big
sum_of_big=$(sum <big)

forward to_vsock tcp:127.0.0.1:7001 vsock:local:9001
forward to_tcp vsock:any:7002 tcp:127.0.0.1:9002
for direction in tcp_to_vsock vsock_to_tcp; do
    case $direction in
        tcp_to_vsock) near=tcp:127.0.0.1:7001 far=vsock:any:9001 ;;
        vsock_to_tcp) near=vsock:local:7002 far=tcp:127.0.0.1:9002 ;;
    esac

    start answer tg-vm-peer listen $far -- sh -c 'sha256sum | cut -d " " -f 1 >got; cat back'
    server=$!
    listening $far
    equal $direction.half_close_client_first_answer "$(tg-vm-peer dial $near <there | sum)" "$(sum <back)"
    equal $direction.half_close_client_first_request "$(cat got)" "$(sum <there)"
    kill $server; wait $server 2>/dev/null

    start answer tg-vm-peer listen $far -- \
        sh -c 'cat back; tg-vm-peer shutdown; sha256sum | cut -d " " -f 1 >got2; : >got2.whole'
    server=$!
    listening $far; rm -f got2 got2.whole
    equal $direction.half_close_server_first_answer "$( (sleep 1; cat there) | tg-vm-peer dial $near | sum)" "$(sum <back)"
    for _ in 1 2 3 4 5 6 7 8 9 10; do [ -e got2.whole ] && break; sleep 0.2; done
    equal $direction.half_close_server_first_request "$(cat got2)" "$(sum <there)"
    kill $server; wait $server 2>/dev/null

    start answer tg-vm-peer listen $far -- sh -c 'sha256sum | cut -d " " -f 1'
    server=$!
    listening $far
    equal $direction.hundred_megabytes_there "$(tg-vm-peer dial $near <big)" "$sum_of_big"
    kill $server; wait $server 2>/dev/null

    start answer tg-vm-peer listen $far -- cat big
    server=$!
    listening $far
    equal $direction.hundred_megabytes_back "$(tg-vm-peer dial $near </dev/null | sum)" "$sum_of_big"
    kill $server; wait $server 2>/dev/null

    # Both ways at once, from twenty connections.
    start answer tg-vm-peer listen $far -- cat
    server=$!
    listening $far
    for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        tg-vm-peer dial $near <there >echo.$i &
        clients="$clients $!"
    done
    wait $clients
    clients=
    equal $direction.twenty_echoes "$(cat echo.* | sum)" \
        "$(for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do cat there; done | sum)"
    rm -f echo.*
    kill $server; wait $server 2>/dev/null

    # Nobody behind it: the client is let go at once, not left waiting.
    holds $direction.nobody_behind timeout 5 sh -c "tg-vm-peer dial $near </dev/null >/dev/null 2>&1; true"
done
