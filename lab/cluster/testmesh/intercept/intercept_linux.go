package intercept

import (
	"errors"
	"fmt"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"coalmine/lab/cluster/testmesh/ports"
)

// Install replaces the rules of the table: all at once, or none with an error. It needs
// CAP_NET_ADMIN. Kernels without NAT in family inet (before Linux 5.2) get the rules for IPv4 only.
func Install(r Rules) error {
	err := install(r, nftables.TableFamilyINet)
	if errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOENT) {
		err = install(r, nftables.TableFamilyIPv4)
	}
	switch {
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("write redirects into nftables: %w: give the container the capability NET_ADMIN", err)
	case err != nil:
		return fmt.Errorf("write redirects into nftables: %w: the kernel needs nf_tables with nat and redirect "+
			"(CONFIG_NF_TABLES_INET, CONFIG_NFT_NAT, CONFIG_NFT_REDIR)", err)
	}
	return nil
}

func install(r Rules, family nftables.TableFamily) error {
	conn, err := nftables.New()
	if err != nil {
		return err
	}
	// Deleting a table that does not exist is an error, adding one that exists is not.
	table := &nftables.Table{Name: Table, Family: family}
	conn.AddTable(table)
	conn.DelTable(table)
	conn.AddTable(table)
	add(conn, table, "output", nftables.ChainHookOutput, r.output())
	add(conn, table, "prerouting", nftables.ChainHookPrerouting, r.prerouting())
	return conn.Flush()
}

func add(conn *nftables.Conn, table *nftables.Table, name string, hook *nftables.ChainHook, rules [][]expr.Any) {
	chain := conn.AddChain(&nftables.Chain{
		Name: name, Table: table, Type: nftables.ChainTypeNAT, Hooknum: hook, Priority: nftables.ChainPriorityNATDest,
	})
	for _, exprs := range rules {
		conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: exprs})
	}
}

func (r Rules) output() [][]expr.Any {
	rules := [][]expr.Any{
		accept(meta(expr.MetaKeySKUID, binaryutil.NativeEndian.PutUint32(r.User))),
		accept(meta(expr.MetaKeyOIFNAME, interfaceName("lo"))),
	}
	for _, p := range r.SkipOutbound {
		rules = append(rules, accept(tcpTo(p)))
	}
	return append(rules, redirect(r.Outbound))
}

func (r Rules) prerouting() [][]expr.Any {
	rules := [][]expr.Any{accept(meta(expr.MetaKeyIIFNAME, interfaceName("lo")))}
	for _, p := range r.skippedInbound() {
		rules = append(rules, accept(tcpTo(p)))
	}
	return append(rules, redirect(r.Inbound))
}

// meta compares metadata of a packet.
func meta(key expr.MetaKey, value []byte) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: key, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: value},
	}
}

// interfaceName is padded to its fixed size, so that longer names do not match.
func interfaceName(name string) []byte {
	b := make([]byte, unix.IFNAMSIZ)
	copy(b, name)
	return b
}

func tcp() []expr.Any { return meta(expr.MetaKeyL4PROTO, []byte{unix.IPPROTO_TCP}) }

// tcpTo compares the destination port, bytes 2 and 3 of the TCP header.
func tcpTo(p ports.Range) []expr.Any {
	return append(tcp(),
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Cmp{Op: expr.CmpOpGte, Register: 1, Data: binaryutil.BigEndian.PutUint16(p.First)},
		&expr.Cmp{Op: expr.CmpOpLte, Register: 1, Data: binaryutil.BigEndian.PutUint16(p.Last)},
	)
}

func accept(when []expr.Any) []expr.Any {
	return append(when, &expr.Verdict{Kind: expr.VerdictAccept})
}

func redirect(to uint16) []expr.Any {
	return append(tcp(),
		&expr.Immediate{Register: 1, Data: binaryutil.BigEndian.PutUint16(to)},
		&expr.Redir{RegisterProtoMin: 1, Flags: unix.NF_NAT_RANGE_PROTO_SPECIFIED},
	)
}
